"""The file that describes what a URDF does not: surroundings, payload, pairs, folders. ROS-free.

See `ArmGeometry.load`. Lengths in m, angles in rad, in the frame of the URDF's root link.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vla_safety.surroundings.transforms import Transform

SHAPES = {"plane": ("normal", "offset"), "box": ("size",), "cylinder": ("radius", "length")}


class ArmError(ValueError):
    """A description of an arm that cannot be used; one line says what, where, what is accepted."""


@dataclass(frozen=True)
class Solid:
    """A plane, box or cylinder of the surroundings, or the payload.

    sizes: of a box its three sides; of a cylinder (about z) radius and length; of a plane its unit
    normal, which points to the free side, and its distance from the origin along that.
    """

    name: str
    kind: str
    sizes: tuple[float, ...]
    placement: Transform


@dataclass(frozen=True)
class Payload:
    """What the gripper carries while the command of `gripper` is within `held_between`."""

    link: str
    box: Solid
    gripper: str
    held_between: tuple[float, float]


@dataclass(frozen=True)
class ArmGeometry:
    """What a URDF does not tell.

    srdf: path, or None. pairs: file of pairs that touch always, made where it is missing.
    package_folders: where package:// is looked for beside AMENT_PREFIX_PATH and the URDF's parents.
    joints: positions of joints that nobody commands or measures.
    touch_links: links that may touch what sources of points see, such as fingers.
    """

    srdf: Path | None = None
    pairs: Path | None = None
    package_folders: tuple[Path, ...] = ()
    joints: Mapping[str, float] = field(default_factory=dict)
    surroundings: tuple[Solid, ...] = ()
    payload: Payload | None = None
    touch_links: tuple[str, ...] = ()

    @staticmethod
    def load(path: str | Path) -> ArmGeometry:
        """Read the file; paths in it that are relative are relative to its folder.

        Raises:
            ArmError: no such file, not YAML, an entry that is missing, unknown or refused.
        """
        path = Path(path)
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise ArmError(f"arm_geometry {path}: {reason}") from error
        except yaml.YAMLError as error:
            raise ArmError(
                f"arm_geometry {path}: not YAML: {' '.join(str(error).split())}"
            ) from error
        try:
            return _geometry({} if data is None else data, path.parent)
        except ArmError as error:
            raise ArmError(f"arm_geometry {path}: {error}") from error


def _geometry(data: Any, folder: Path) -> ArmGeometry:
    optional = ("srdf", "pairs", "package_folders", "joints", "surroundings", "payload")
    entries = _entries(data, "the file", (), (*optional, "touch_links"))
    folders = entries.get("package_folders", [])
    solids = entries.get("surroundings", [])
    joints = entries.get("joints", {})
    touching = entries.get("touch_links", [])
    if not all(isinstance(value, list) for value in (folders, solids, touching)):
        raise ArmError("package_folders, surroundings or touch_links is no list; accepted: lists")
    if not isinstance(joints, dict):
        raise ArmError("joints is no mapping; accepted: name of a joint to its position")
    surroundings = tuple(_solid(entry, f"surroundings[{i}]") for i, entry in enumerate(solids))
    names = [solid.name for solid in surroundings]
    if len(set(names)) != len(names):
        raise ArmError(f"names of surroundings are {names}; accepted: each once")
    return ArmGeometry(
        srdf=folder / str(entries["srdf"]) if "srdf" in entries else None,
        pairs=folder / str(entries["pairs"]) if "pairs" in entries else None,
        package_folders=tuple(folder / str(name) for name in folders),
        joints={str(k): _number(v, f"joints.{k}") for k, v in joints.items()},
        surroundings=surroundings,
        payload=_payload(entries["payload"]) if "payload" in entries else None,
        touch_links=tuple(map(str, touching)),
    )


def _solid(data: Any, where: str) -> Solid:
    """A named shape of the surroundings."""
    entries = _entries(data, where, ("name", "type"), ("at", "rpy", *sum(SHAPES.values(), ())))
    kind = entries["type"]
    if kind not in SHAPES:
        raise ArmError(f"type of {where} is {kind!r}; accepted: {', '.join(SHAPES)}")
    placed = ("at", "rpy") if kind != "plane" else ()
    _entries(data, where, ("name", "type", *SHAPES[kind]), placed)
    if kind == "plane":
        normal = _numbers(entries["normal"], f"normal of {where}", 3)
        length = math.hypot(*normal)
        if length < 1e-6:
            raise ArmError(f"normal of {where} is {list(normal)}; accepted: a direction")
        offset = _number(entries["offset"], f"offset of {where}")
        sizes = (*(value / length for value in normal), offset)
    elif kind == "box":
        sizes = _sizes(entries["size"], f"size of {where}", 3)
    else:
        sizes = _sizes([entries["radius"], entries["length"]], f"radius, length of {where}", 2)
    return Solid(str(entries["name"]), kind, sizes, _placement(entries, where))


def _payload(data: Any) -> Payload:
    needed = ("link", "size", "gripper", "held_between")
    entries = _entries(data, "payload", needed, ("at", "rpy"))
    low, high = _numbers(entries["held_between"], "held_between of payload", 2)
    if not low < high:
        raise ArmError(f"held_between of payload is [{low}, {high}]; accepted: the lower one first")
    sizes = _sizes(entries["size"], "size of payload", 3)
    box = Solid("payload", "box", sizes, _placement(entries, "payload"))
    return Payload(str(entries["link"]), box, str(entries["gripper"]), (low, high))


def _placement(entries: Mapping[str, Any], where: str) -> Transform:
    at = _numbers(entries.get("at", [0, 0, 0]), f"at of {where}", 3)
    return Transform.from_rpy(at, _numbers(entries.get("rpy", [0, 0, 0]), f"rpy of {where}", 3))


def _sizes(value: Any, what: str, count: int) -> tuple[float, ...]:
    found = _numbers(value, what, count)
    if min(found) <= 0.0:
        raise ArmError(f"{what} is {list(found)} m; accepted: above 0, each")
    return found


def _numbers(value: Any, what: str, count: int) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != count:
        raise ArmError(f"{what} is {value!r}; accepted: {count} numbers")
    return tuple(_number(item, what) for item in value)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ArmError(f"{what} is {value!r}; accepted: a finite number")
    return float(value)


def _entries(
    data: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ArmError(f"{where} is no mapping; accepted: {', '.join((*required, *optional))}")
    for name in required:
        if name not in data:
            raise ArmError(f"{where} lacks {name}; accepted: {', '.join((*required, *optional))}")
    for name in data:
        if name not in (*required, *optional):
            accepted = ", ".join((*required, *optional))
            raise ArmError(f"{where} has {name!r}; accepted: {accepted}")
    return data
