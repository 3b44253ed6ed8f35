"""Which joints a URDF tells of, and what it tells of each: nothing of one joint refuses the others.

The specification asks for limits of revolute and prismatic joints only, and files of real robots
hold less: velocities of 0, end stops of 1e16, words of xacro. What a rule can propose is proposed
and marked; a joint that moves with another, in several directions or not at all is left out and
listed.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from vla_cli.client.command_errors import CommandError

JOINTS = {"revolute": "rad", "continuous": "rad", "prismatic": "m"}
TURNS = 2.0 * math.pi  # rad; range of a joint without end stops
RULE_VELOCITY = {"rad": 1.0, "m": 0.1}  # per s; of a joint whose velocity is not told
MOST_VELOCITY = {"rad": 100.0, "m": 10.0}  # per s; more is a way to say that there is no limit
MOST_POSITION = {"rad": 1000.0, "m": 100.0}
_XACRO = "xacro"


@dataclass(frozen=True)
class UrdfJoint:
    """A joint that can be commanded, SI. rules: what the URDF does not tell, in words."""

    name: str
    unit: str
    low: float
    high: float
    velocity: float
    effort: str
    frame: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Urdf:
    """left_out: joints of the file that nothing is proposed for, with the reason, in words."""

    name: str
    joints: tuple[UrdfJoint, ...]
    left_out: tuple[str, ...]


class _LeftOutError(ValueError):
    """Why nothing can be proposed for a joint."""


def read_urdf(path: Path) -> Urdf:
    """What a URDF tells.

    Raises:
        CommandError: it is no URDF, or not one of its joints can be commanded.
    """
    root = _root(path)
    elements = [element for element in root if _tag(element) == "joint"]
    joints: list[UrdfJoint] = []
    left_out = []
    for element in elements:
        name, kind = element.get("name") or "", element.get("type") or ""
        if kind == "fixed":
            continue
        try:
            if not name or name in {joint.name for joint in joints}:
                raise _LeftOutError("has a name that came before" if name else "has no name")
            joints.append(_joint(element, name, kind))
        except _LeftOutError as error:
            left_out.append(f"joint {name or '(without a name)'} {error}")
    if any(_XACRO in element.tag for element in root.iter()):
        hint = f"ros2 run xacro xacro {path.name} > expanded.urdf"
        left_out.append(f"what xacro makes of this file: {hint}")
    if not joints:
        raise CommandError(_nothing(path, elements, left_out))
    return Urdf(root.get("name") or path.stem, tuple(joints), tuple(left_out))


def _root(path: Path) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, LookupError, ValueError) as error:
        raise CommandError(f"URDF {path}: {getattr(error, 'strerror', None) or error}") from error
    if _tag(root) != "robot":
        raise CommandError(f"URDF {path}: the root is <{_tag(root)}>; accepted: <robot>")
    return root


def _nothing(path: Path, elements: list[ElementTree.Element], left_out: list[str]) -> str:
    kinds = Counter(element.get("type") or "no type" for element in elements)
    has = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no joints"
    why = f" ({'; '.join(left_out)[:400]})" if left_out else ""
    accepted = ", ".join(JOINTS)
    return f"URDF {path} has no joint that can be commanded: {has}{why}; accepted: {accepted}"


def _tag(element: ElementTree.Element) -> str:
    """A name without its namespace, unless that is xacro's."""
    tag = str(element.tag)
    return tag if _XACRO in tag else tag.rsplit("}", 1)[-1]


def _child(element: ElementTree.Element, tag: str) -> ElementTree.Element | None:
    return next((child for child in element if _tag(child) == tag), None)


def _joint(element: ElementTree.Element, name: str, kind: str) -> UrdfJoint:
    if kind not in JOINTS:
        raise _LeftOutError(f"is of type {kind!r}; accepted: {', '.join(JOINTS)}")
    mimic = _child(element, "mimic")
    if mimic is not None:
        raise _LeftOutError(f"moves with {mimic.get('joint')}")
    limit = _child(element, "limit")
    attributes = {} if limit is None else dict(limit.attrib)
    rules: list[str] = []
    unit = JOINTS[kind]
    low, high = _range(kind, unit, attributes, rules)
    velocity = _velocity(unit, attributes, rules)
    child = _child(element, "child")
    frame = (None if child is None else child.get("link")) or "base_link"
    return UrdfJoint(
        name, unit, low, high, velocity, attributes.get("effort", ""), frame, tuple(rules)
    )


def _range(
    kind: str, unit: str, attributes: dict[str, str], rules: list[str]
) -> tuple[float, float]:
    if kind == "continuous":
        rules.append("no end stops in the URDF: range of two turns")
        return -TURNS, TURNS
    ends = {}
    for end in ("lower", "upper"):
        text = attributes.get(end)
        ends[end] = 0.0 if text is None else _number(text)  # 0 is the specification's default
        if math.isnan(ends[end]):
            raise _LeftOutError(f"has {end} {text!r}; accepted: a number")
    low, high = ends["lower"], ends["upper"]
    if max(abs(low), abs(high)) > MOST_POSITION[unit]:
        if unit == "m":
            raise _LeftOutError(f"has the range [{low:g}, {high:g}] m, which is none")
        rules.append(f"[{low:g}, {high:g}] is no range: range of two turns")
        return -TURNS, TURNS
    if low >= high:
        raise _LeftOutError(f"has the range [{low:g}, {high:g}]; accepted: the lower end first")
    return low, high


def _velocity(unit: str, attributes: dict[str, str], rules: list[str]) -> float:
    text = attributes.get("velocity")
    value = _number(text or "")
    if 0.0 < value <= MOST_VELOCITY[unit]:
        return value
    told = "no velocity" if text is None else f"velocity {text!r}"
    rules.append(f"{told} in the URDF: {RULE_VELOCITY[unit]:g} {unit}/s by a rule, CHECK IT")
    return RULE_VELOCITY[unit]


def _number(text: str) -> float:
    """NaN where it is none."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value
