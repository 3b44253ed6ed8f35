"""Arms to be hostile to: those of PyPI's example-robot-data, and two of them on one base. ROS-free.

A URDF is told by the name of an arm here or by a path.
"""

from __future__ import annotations

import copy
import math
import sysconfig
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.arm.arm_geometry import ArmGeometry, Payload, Solid
from vla_safety.arm.urdf_text import Urdf, UrdfJoint, read_urdf
from vla_safety.surroundings.transforms import Transform

ARMS = ("so101", "panda", "two_pandas")
_DATA = "cmeel.prefix/share/example-robot-data/robots"
_TURN, _SLIDE = (1.2, 3.0, 60.0), (0.1, 1.0, 20.0)  # velocity, acceleration, jerk
_APART = 0.35  # m, of each of two arms from the middle


@dataclass(frozen=True)
class Arm:
    """What a guard is made from. gripper: dimension whose closing takes the payload."""

    name: str
    urdf: Urdf
    geometry: ArmGeometry
    space: ActionSpace


def robots_folder() -> Path | None:
    """Where example-robot-data is installed; None: it is not."""
    folder = Path(sysconfig.get_path("purelib")) / _DATA
    return folder if folder.is_dir() else None


def make_arm(name: str, pairs: Path, rate: float = 50.0) -> Arm:
    """One of `ARMS`, or the URDF at a path. pairs: where pairs are written where no SRDF is known.

    Raises:
        FileNotFoundError: example-robot-data is not installed.
    """
    if name not in ARMS:
        urdf = read_urdf(name, ())
        return Arm(name, urdf, _surrounded(ArmGeometry(pairs=pairs), urdf, 0.4), _space(urdf, rate))
    robots = robots_folder()
    if robots is None:
        raise FileNotFoundError("example-robot-data is not installed; accepted: pip install it")
    if name == "so101":
        urdf = read_urdf(str(robots / "so_arm_description/urdf/so101.urdf"), ())
        geometry = _surrounded(ArmGeometry(pairs=pairs), urdf, 0.25)
        return Arm(name, urdf, geometry, _space(urdf, rate))
    panda = robots / "panda_description"
    text = (panda / "urdf/panda.urdf").read_text(encoding="utf-8")
    disabled = (panda / "srdf/panda.srdf").read_text(encoding="utf-8")
    if name == "two_pandas":
        text, disabled = _doubled(text), _doubled_srdf(disabled)
    srdf = pairs.with_suffix(".srdf")
    srdf.write_text(disabled, encoding="utf-8")
    urdf = read_urdf(text, (robots.parents[1],))
    geometry = _surrounded(ArmGeometry(srdf=srdf), urdf, 0.5)
    return Arm(name, urdf, geometry, _space(urdf, rate))


def _surrounded(geometry: ArmGeometry, urdf: Urdf, away: float) -> ArmGeometry:
    """A table to stand on, a box and a post to run into, and something to carry."""
    solids = (
        Solid("table", "plane", (0.0, 0.0, 1.0, -0.02), Transform.identity()),
        Solid("crate", "box", (0.1, 0.2, 0.2), _at(away, 0.4 * away, 0.1)),
        Solid("post", "cylinder", (0.03, 0.6), _at(-0.7 * away, -0.7 * away, 0.3)),
    )
    moved = [joint for joint in urdf.joints if joint.mimic is None]
    box = Solid("payload", "box", (0.04, 0.04, 0.1), _at(0.0, 0.0, 0.0))
    low, high = _range(moved[-1])
    held = (low, low + 0.3 * (high - low))
    payload = Payload(moved[-1].parent, box, moved[-1].name, held)
    return replace(geometry, surroundings=solids, payload=payload)


def _at(x: float, y: float, z: float) -> Transform:
    return Transform.from_rpy((x, y, z), (0.0, 0.0, 0.0))


def _range(joint: UrdfJoint) -> tuple[float, float]:
    return max(joint.low, -math.pi), min(joint.high, math.pi)


def _space(urdf: Urdf, rate: float) -> ActionSpace:
    joints = [joint for joint in urdf.joints if joint.mimic is None]
    return ActionSpace(
        urdf.name or "arm", rate, 50, 1.0 / rate, 2.0, tuple(map(_dimension, joints))
    )


def _dimension(joint: UrdfJoint) -> Dimension:
    low, high = _range(joint)
    velocity, acceleration, jerk = _SLIDE if joint.prismatic else _TURN
    output = Output("joints", "trajectory_msgs/msg/JointTrajectory", joint.name)
    return Dimension(
        joint.name, Kind.JOINT_POSITION, "m" if joint.prismatic else "rad", low, high, low, high,
        Limits(velocity, acceleration, jerk), Limits(velocity, 2.0 * acceleration, 2.0 * jerk),
        "base", output,
    )  # fmt: skip


def _doubled(text: str) -> str:
    """Two of an arm side by side on one base."""
    arm = ElementTree.fromstring(text)
    both = ElementTree.Element("robot", name=f"two_{arm.get('name')}")
    ElementTree.SubElement(both, "link", name="base")
    children = {joint.find("child").get("link") for joint in arm.iter("joint")}  # type: ignore[union-attr]
    for side, y in (("left", _APART), ("right", -_APART)):
        for part in arm:
            if part.tag not in ("link", "joint"):
                continue
            made = copy.deepcopy(part)
            made.set("name", f"{side}_{part.get('name')}")
            for end in (*made.iter("parent"), *made.iter("child")):
                end.set("link", f"{side}_{end.get('link')}")
            for mimic in made.iter("mimic"):
                mimic.set("joint", f"{side}_{mimic.get('joint')}")
            both.append(made)
            if part.tag == "link" and part.get("name") not in children:
                stand = ElementTree.SubElement(both, "joint", name=f"{side}_stand", type="fixed")
                ElementTree.SubElement(stand, "parent", link="base")
                ElementTree.SubElement(stand, "child", link=made.get("name", ""))
                ElementTree.SubElement(stand, "origin", xyz=f"0 {y} 0")
    return ElementTree.tostring(both, encoding="unicode")


def _doubled_srdf(text: str) -> str:
    both = ElementTree.Element("robot", name="two")
    for disabled in ElementTree.fromstring(text).iter("disable_collisions"):
        for side in ("left", "right"):
            links = {f"link{i}": f"{side}_{disabled.get(f'link{i}')}" for i in (1, 2)}
            ElementTree.SubElement(both, "disable_collisions", links)
    return ElementTree.tostring(both, encoding="unicode")
