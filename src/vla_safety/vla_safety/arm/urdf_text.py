"""A URDF made ready for the kinematics library: checked, meshes found. Free of ROS."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from vla_safety.arm.arm_geometry import ArmError

MOVING = ("revolute", "continuous", "prismatic")
_ENDLESS = 1e6  # rad, in place of the limits that a continuous joint has not


@dataclass(frozen=True)
class Mimic:
    """Position = multiplier * that of `joint` + offset."""

    joint: str
    multiplier: float
    offset: float


@dataclass(frozen=True)
class UrdfJoint:
    """A joint that moves. parent, child: links. low, high: rad or m; infinite where endless."""

    name: str
    parent: str
    child: str
    prismatic: bool
    low: float
    high: float
    mimic: Mimic | None


@dataclass(frozen=True)
class Urdf:
    """text: with absolute paths of meshes, without visuals, continuous joints as revolute ones."""

    name: str
    text: str
    joints: tuple[UrdfJoint, ...]


def read_urdf(given: str, package_folders: Iterable[Path]) -> Urdf:
    """Read a URDF. given: path of the file, or its text.

    Raises:
        ArmError: no such file, not a URDF, a joint without limits or of another kind, a mesh that
            is not there.
    """
    folders = list(package_folders)
    path = None
    if not given.lstrip().startswith("<"):
        path = Path(given)
        folders += path.resolve().parents
        try:
            given = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise ArmError(f"arm_urdf {path}: {reason}") from error
    where = f"arm_urdf {path}" if path else "arm_urdf"
    folders += _shares()
    try:
        return _prepare(given, folders, path.parent if path else Path())
    except ValueError as error:  # one of ours, or a number that is none
        raise ArmError(f"{where}: {error}") from error


def package_file(given: str) -> str:
    """The path that package://PACKAGE/REST stands for; anything else as it is.

    Raises:
        ArmError: no package in AMENT_PREFIX_PATH has the file.
    """
    if not given.startswith("package://"):
        return given
    found = _mesh_file(given, _shares(), Path())
    if found is None:
        raise ArmError(f"{given} is not there; accepted: a file of a package in AMENT_PREFIX_PATH")
    return str(found)


def _shares() -> list[Path]:
    prefixes = filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))
    return [Path(prefix) / "share" for prefix in prefixes]


def _prepare(text: str, folders: list[Path], beside: Path) -> Urdf:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ArmError(f"not XML: {error}") from error
    if root.tag != "robot":
        raise ArmError(f"its root is <{root.tag}>; accepted: <robot>, of xacro its output")
    joints = tuple(
        joint for element in root.findall("joint") if (joint := _joint(element)) is not None
    )
    known = {joint.name for joint in joints}
    for joint in joints:
        if joint.mimic is not None and joint.mimic.joint not in known:
            raise ArmError(
                f"joint {joint.name} mimics {joint.mimic.joint!r}; accepted: one of the joints "
                "that move"
            )
    for link in root.findall("link"):
        for visual in link.findall("visual"):
            link.remove(visual)
        for mesh in link.iter("mesh"):
            file = _mesh_file(mesh.get("filename", ""), folders, beside)
            if file is None:
                raise ArmError(
                    f"mesh {mesh.get('filename')!r} of link {link.get('name')} is not there; "
                    "accepted: a file, or package:// of a package in package_folders of "
                    "arm_geometry, in AMENT_PREFIX_PATH or above the URDF"
                )
            mesh.set("filename", str(file))
    name = root.get("name", "")
    return Urdf(name, ElementTree.tostring(root, encoding="unicode"), joints)


def _joint(element: ElementTree.Element) -> UrdfJoint | None:
    """A joint that moves, or None; one that is continuous is made revolute."""
    name, kind = element.get("name", ""), element.get("type", "")
    if kind == "fixed":
        return None
    if kind not in MOVING:
        raise ArmError(f"joint {name} is {kind!r}; accepted: fixed, {', '.join(MOVING)}")
    parent, child = element.find("parent"), element.find("child")
    if parent is None or child is None:
        raise ArmError(f"joint {name} lacks its parent or child; accepted: both")
    limit = element.find("limit")
    if kind == "continuous":
        if limit is None:
            limit = ElementTree.SubElement(element, "limit", effort="0", velocity="0")
        element.set("type", "revolute")
        limit.set("lower", str(-_ENDLESS))
        limit.set("upper", str(_ENDLESS))
        low, high = -math.inf, math.inf
    elif limit is None or limit.get("lower") is None or limit.get("upper") is None:
        raise ArmError(f"joint {name} has no limits; accepted: <limit> with lower and upper")
    else:
        low, high = float(limit.get("lower", "")), float(limit.get("upper", ""))
    if not low < high:
        raise ArmError(f"joint {name} has limits {low} and {high}; accepted: the lower one first")
    for needed in ("effort", "velocity"):
        limit.set(needed, limit.get(needed, "0"))
    return UrdfJoint(
        name, parent.get("link", ""), child.get("link", ""), kind == "prismatic", low, high,
        _mimic(element),
    )  # fmt: skip


def _mimic(element: ElementTree.Element) -> Mimic | None:
    mimic = element.find("mimic")
    if mimic is None:
        return None
    element.remove(mimic)
    return Mimic(
        mimic.get("joint", ""), float(mimic.get("multiplier", "1")), float(mimic.get("offset", "0"))
    )


def _mesh_file(name: str, folders: list[Path], beside: Path) -> Path | None:
    scheme, mark, rest = name.partition("://")
    if not mark:
        tried = [beside / name]
    elif scheme == "file":
        tried = [Path("/") / rest.lstrip("/")]
    else:
        # The folder of a package may have its name, or hold it.
        tried = [folder / rest for folder in folders]
    return next((path.resolve() for path in tried if path.is_file()), None)
