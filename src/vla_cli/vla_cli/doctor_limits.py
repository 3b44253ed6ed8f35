"""`vla doctor --limits FILE`: proposes an action space from a URDF or from a recorded bag.

A URDF says range, velocity and effort of each joint; a bag shows how the robot really moved. What
neither says is proposed by a rule and marked in the file, for a person to check.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from vla_cli.doctor_measure import MeasureError, Motion, measure
from vla_cli.errors import CommandError
from vla_contract.action_space import ActionSpace, ActionSpaceError

SHARE = 0.5  # of a URDF's velocity: it is what the motor can, not what is sensible
RISE = 0.5  # s to full speed where nothing tells the acceleration
ONSET = 0.1  # s to full acceleration where nothing tells the jerk
EMERGENCY = 2.0  # emergency acceleration over normal; the jerk twice that
BRAKING_MARGIN = 1.25
JOINTS = {"revolute": "rad", "continuous": "rad", "prismatic": "m"}
TURNS = 2.0 * math.pi  # rad; range of a joint without end stops


@dataclass(frozen=True)
class Proposal:
    """One dimension, SI units; output: topic, type and field. notes: where the numbers are from."""

    name: str
    kind: str
    unit: str
    low: float
    high: float
    velocity: float
    acceleration: float
    jerk: float
    frame: str
    output: tuple[str, str, str]
    notes: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `vla doctor --limits`."""
    group = parser.add_argument_group("limits of a robot")
    group.add_argument(
        "--limits", metavar="FILE", help="propose an action space from a URDF or a recorded bag"
    )
    group.add_argument("--out", metavar="FILE", help="write the proposal there")
    group.add_argument("--rate", type=float, default=50.0, help="control rate, Hz (default: 50)")


def run(chosen: argparse.Namespace) -> int:
    """0: proposed.

    Raises:
        CommandError: the file cannot be used, or `--out` cannot be written.
    """
    text = propose(Path(chosen.limits), chosen.rate)
    if not chosen.out:
        print(text, end="")
        return 0
    try:
        with open(chosen.out, "x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise CommandError(f"cannot write {chosen.out}: {error.strerror}") from error
    print(f"{chosen.out}: a proposal; read it, and docs/limits.md, before the robot moves by it")
    return 0


def propose(path: Path, rate: float) -> str:
    """The proposed action space file, which `ActionSpace.load` accepts.

    Raises:
        CommandError: the file is neither a URDF nor a bag, or nothing follows from it.
    """
    if not path.exists():
        raise CommandError(f"{path} does not exist; accepted: a URDF file or a bag")
    urdf = path.suffix in (".urdf", ".xml", ".xacro")
    name, proposals = _from_urdf(path) if urdf else _from_bag(path)
    text = _file(name, proposals, rate, path)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as scratch:
        scratch.write(text)
        scratch.flush()
        try:
            ActionSpace.load(scratch.name)
        except ActionSpaceError as error:
            reason = str(error).replace(f"action space {scratch.name}: ", "")
            raise CommandError(f"{path} gives no usable action space: {reason}") from error
    return text


# --- URDF ----------------------------------------------------------------------------------------


def _from_urdf(path: Path) -> tuple[str, list[Proposal]]:
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise CommandError(f"URDF {path}: {getattr(error, 'strerror', None) or error}") from error
    if root.tag != "robot":
        raise CommandError(f"URDF {path}: the root is <{root.tag}>; accepted: <robot>")
    if any("xacro" in element.tag for element in root.iter()):
        raise CommandError(f"{path} is a xacro file; first: ros2 run xacro xacro {path} > x.urdf")
    joints = [
        joint
        for joint in root.findall("joint")
        if joint.get("type") in JOINTS and joint.find("mimic") is None
    ]
    if not joints:
        raise CommandError(f"URDF {path} has no joint that moves; accepted: {', '.join(JOINTS)}")
    return root.get("name") or path.stem, [_joint(joint, path) for joint in joints]


def _joint(joint: ElementTree.Element, path: Path) -> Proposal:
    name, kind = str(joint.get("name")), str(joint.get("type"))
    limit = joint.find("limit")
    velocity = _attribute(limit, "velocity", name, path)
    if kind == "continuous":
        low, high, about = -TURNS, TURNS, "no end stops in the URDF: range of two turns"
    else:
        low, high = (_attribute(limit, end, name, path) for end in ("lower", "upper"))
        about = "range of the URDF"
    effort = limit.get("effort") if limit is not None else None
    child = joint.find("child")
    speed = SHARE * velocity
    return Proposal(
        name=name,
        kind="joint_position",
        unit=JOINTS[kind],
        low=low,
        high=high,
        velocity=speed,
        acceleration=speed / RISE,
        jerk=speed / RISE / ONSET,
        frame=str(child.get("link")) if child is not None else "base_link",
        output=("joint_trajectory", "trajectory_msgs/msg/JointTrajectory", name),
        notes=f"{about}; velocity: {SHARE:g} of its {velocity:g}; acceleration and jerk: a rule"
        + (f"; effort {effort}" if effort else ""),
    )


def _attribute(limit: ElementTree.Element | None, name: str, joint: str, path: Path) -> float:
    text = None if limit is None else limit.get(name)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (name == "velocity" and value <= 0.0):
        accepted = "a number above 0" if name == "velocity" else "a number"
        raise CommandError(
            f"URDF {path}: {name} of joint {joint} is {text!r}; accepted: {accepted}"
        )
    return value


# --- Bag -----------------------------------------------------------------------------------------


def _from_bag(path: Path) -> tuple[str, list[Proposal]]:
    notes: list[str] = []
    try:
        motions = measure(path, notes)
    except MeasureError as error:
        raise CommandError(str(error)) from error
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    return path.resolve().stem, [_moved(motion) for motion in motions]


def _moved(motion: Motion) -> Proposal:
    velocity = _rounded_up(motion.velocity)
    is_position = motion.kind == "joint_position"
    return Proposal(
        name=motion.name,
        kind=motion.kind,
        unit=motion.unit,
        low=math.floor(motion.low * 1e4) / 1e4 if is_position else -velocity,
        high=math.ceil(motion.high * 1e4) / 1e4 if is_position else velocity,
        velocity=velocity,
        acceleration=_rounded_up(motion.acceleration),
        jerk=_rounded_up(motion.jerk),
        frame=motion.frame,
        output=motion.output,
        notes=f"{motion.topic}, {motion.samples} samples at {motion.rate:.0f} Hz: "
        f"{motion.velocity:.3g}, {motion.acceleration:.3g}, {motion.jerk:.3g}",
    )


def _rounded_up(value: float) -> float:
    """Two significant digits, upwards."""
    if value <= 0.0:
        return value
    scale = 10.0 ** (math.floor(math.log10(value)) - 1)
    return round(math.ceil(value / scale - 1e-9) * scale, 12)


# --- The file ------------------------------------------------------------------------------------


def _file(name: str, proposals: list[Proposal], rate: float, path: Path) -> str:
    time = max(_time_to_rest(p) for p in proposals) + 2.0 / rate if rate > 0 else 1.0
    head = f"""# Proposed from {path.name} by ./vla doctor --limits. Read it before any motion;
# docs/limits.md says how to choose each limit. Emergency: {EMERGENCY:g} times the acceleration and
# {EMERGENCY**2:g} times the jerk; check that the robot can brake so hard and stays upright.
name: {_word(name)}
control_rate: {rate:g}  # Hz
chunk:
  length: 32        # rows
  period: 0.05      # s
braking_time: {_rounded_up(BRAKING_MARGIN * time):g}  # s
dimensions:
"""
    return head + "".join(_dimension(p) for p in proposals)


def _dimension(p: Proposal) -> str:
    topic, message, field = p.output

    def limits(factor: float) -> str:
        acceleration, jerk = p.acceleration * factor, p.jerk * (factor**2)
        return f"{{velocity: {p.velocity:.6g}, acceleration: {acceleration:.6g}, jerk: {jerk:.6g}}}"

    return f"""  # {p.notes}
  - name: {_word(p.name)}
    kind: {p.kind}
    unit: {p.unit}
    range: [{p.low:.6g}, {p.high:.6g}]
    normal: {limits(1.0)}
    emergency: {limits(EMERGENCY)}
    frame: {_word(p.frame)}
    output: {{topic: {_word(topic)}, type: {message}, field: {_word(field)}}}
"""


def _word(text: str) -> str:
    """A text as a YAML string, whatever is in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _time_to_rest(p: Proposal) -> float:
    acceleration, jerk = p.acceleration * EMERGENCY, p.jerk * EMERGENCY**2
    ramp = acceleration / jerk
    if p.velocity >= acceleration * ramp:
        return p.velocity / acceleration + ramp
    return 2.0 * math.sqrt(p.velocity / jerk)
