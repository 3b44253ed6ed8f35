"""MuJoCo as a judge of an arm's commands: contacts, margins, speeds. Free of ROS.

It reads the URDF by itself, and makes its own hulls of meshes and its own kinematics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import mujoco
import numpy as np
import numpy.typing as npt

from vla_safety.arm.arm_geometry import ArmGeometry, Solid
from vla_safety.arm.levers import Pair
from vla_safety.arm.urdf_text import Urdf

Array = npt.NDArray[np.float64]
TOLERANCE = 1e-3  # m, of a margin
_HUGE = 50.0  # m, half of a plane's side
_SHAPE = "shape of a link "


@dataclass
class Verdict:
    """contacts: commands with one. short: those short of a margin, by no more than `worst`, m."""

    commands: int = 0
    contacts: int = 0
    short: int = 0
    worst: float = 0.0
    examples: list[str] = field(default_factory=list)


class ContactJudge:
    """Told of each command, by the positions of all joints."""

    def __init__(self, urdf: Urdf, geometry: ArmGeometry, pairs: Sequence[Pair], least: Array):
        """pairs, least: what is to be kept apart, and how far, m."""
        self.verdict = Verdict()
        self.joints = tuple(joint.name for joint in urdf.joints)
        self._model = _model(urdf, geometry)
        self._data = mujoco.MjData(self._model)
        self._least: dict[tuple[str, str], float] = {}
        for pair, distance in zip(pairs, least.tolist(), strict=True):
            # Of two links with several shapes the strictest that all of them keep counts.
            known = self._least.get(pair.links, distance)
            self._least[pair.links] = min(known, distance)
        self._model.geom_margin[:] = max(self._least.values()) - TOLERANCE
        self._rows = [self._model.joint(joint.name).qposadr[0] for joint in urdf.joints]
        self._names = [self._name(i) for i in range(self._model.ngeom)]
        self._segment = np.zeros(6)
        self._holding = False
        self._carried: dict[tuple[str, str], float] = {}

    def _name(self, geom: int) -> str:
        own = str(self._model.geom(geom).name)
        if not own.startswith(_SHAPE):
            return own
        return str(self._model.body(self._model.geom_bodyid[geom]).name)

    def judge(self, positions: Sequence[float], holding: bool) -> None:
        """Judge a command. positions: of the URDF's joints, in its order."""
        data, verdict = self._data, self.verdict
        if holding and not self._holding:
            self._attach()
        self._holding = holding
        data.qpos[self._rows] = positions
        mujoco.mj_kinematics(self._model, data)
        mujoco.mj_collision(self._model, data)
        verdict.commands += 1
        touching, missing = False, 0.0
        for contact in data.contact[: data.ncon]:
            first, second = sorted((self._names[contact.geom1], self._names[contact.geom2]))
            accepted, distance = self._accepted(first, second), contact.dist
            if distance < accepted:
                # Of some hulls beside a box contacts lie deep inside that do not touch at all.
                distance = mujoco.mj_geomDistance(
                    self._model, data, contact.geom1, contact.geom2, 1.0, self._segment
                )
            touching = touching or distance < min(accepted, 0.0) - TOLERANCE
            missing = max(missing, accepted - distance)
            if accepted - distance > TOLERANCE and len(verdict.examples) < 5:
                verdict.examples.append(f"{first}–{second}: {distance:.5f} m of {accepted:g}")
        verdict.contacts += touching
        verdict.short += missing > TOLERANCE
        verdict.worst = max(verdict.worst, missing)

    def _accepted(self, first: str, second: str) -> float:
        """Least distance of two links, m; without a bound where they may touch."""
        accepted = self._least.get((first, second), -np.inf)
        if "payload" not in (first, second):
            return accepted
        return (
            min(accepted, self._carried.get((first, second), np.inf)) if self._holding else -np.inf
        )

    def _attach(self) -> None:
        """What the payload is nearer to than the margin when it is taken may stay as near."""
        self._carried, segment = {}, np.zeros(6)
        carried = self._names.index("payload")
        for geom, name in enumerate(self._names):
            pair = (min(name, "payload"), max(name, "payload"))
            if pair in self._least:
                found = mujoco.mj_geomDistance(self._model, self._data, carried, geom, 1.0, segment)
                self._carried[pair] = min(found, self._carried.get(pair, found))


def _model(urdf: Urdf, geometry: ArmGeometry) -> Any:
    root = ElementTree.fromstring(urdf.text)
    for i, shape in enumerate((*root.iter("visual"), *root.iter("collision"))):
        shape.set("name", f"{_SHAPE}{i}")  # MuJoCo warns of names that are there twice
    settings = ElementTree.SubElement(root, "mujoco")
    ElementTree.SubElement(
        settings, "compiler", strippath="false", fusestatic="false", balanceinertia="true",
        boundmass="0.001", boundinertia="0.000001",
    )  # fmt: skip
    spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding="unicode"))
    for solid in geometry.surroundings:
        _add(spec.worldbody, solid)
    if geometry.payload is not None:
        _add(spec.body(geometry.payload.link), geometry.payload.box)
    model = spec.compile()
    model.opt.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_FILTERPARENT)
    return model


def _add(body: Any, solid: Solid) -> None:
    kinds, sizes = mujoco.mjtGeom, solid.sizes
    x, y, z, w = solid.placement.quaternion
    placed = {"pos": solid.placement.translation, "quat": [w, x, y, z]}
    if solid.kind == "plane":
        *normal, offset = sizes
        # A thick box, whose upper face is the plane: MuJoCo has no plane that turns.
        turned = np.zeros(4)
        mujoco.mju_quatZ2Vec(turned, np.array(normal))
        placed = {"pos": np.array(normal) * (offset - _HUGE), "quat": turned}
        kind, size = kinds.mjGEOM_BOX, [_HUGE] * 3
    elif solid.kind == "box":
        kind, size = kinds.mjGEOM_BOX, [0.5 * side for side in sizes]
    else:
        kind, size = kinds.mjGEOM_CYLINDER, [sizes[0], 0.5 * sizes[1], 0.0]
    body.add_geom(name=solid.name, type=kind, size=size, **placed)
