"""`vla doctor --limits FILE`: proposes an action space from a URDF or from a recorded bag.

A URDF says range, velocity and effort of each joint; a bag shows how the robot really moved. What
neither says is proposed by a rule and marked in the file, for a person to check.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_cli.client.command_errors import CommandError
from vla_cli.doctor.doctor_measure import MeasureError, Motion, measure
from vla_cli.doctor.doctor_urdf import UrdfJoint, read_urdf
from vla_contract.action_space import ActionSpace, ActionSpaceError

SHARE = 0.5  # of a URDF's velocity: it is what the motor can, not what is sensible
RISE = 0.5  # s to full speed where nothing tells the acceleration
ONSET = 0.1  # s to full acceleration where nothing tells the jerk
EMERGENCY = 2.0  # emergency acceleration over normal; the jerk twice that
BRAKING_MARGIN = 1.25
_LEFT_OUT = "# Left out: "


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
    group.add_argument(
        "--geometry",
        metavar="FILE",
        help="of a URDF, with --out: propose the geometry of the whole arm there too (its pairs "
        "beside it), or draw the one that is there; the picture beside it",
    )
    group.add_argument("--rate", type=float, default=50.0, help="control rate, Hz (default: 50)")


def run(chosen: argparse.Namespace) -> int:
    """0: proposed.

    Raises:
        CommandError: the file cannot be used, or `--out` cannot be written.
    """
    if chosen.geometry and not (chosen.out and is_urdf(Path(chosen.limits))):
        raise CommandError("--geometry takes --limits with a URDF and --out")
    text = propose(Path(chosen.limits), chosen.rate)
    for line in text.splitlines():
        if line.startswith(_LEFT_OUT) and chosen.out:
            print(line.removeprefix("# "), file=sys.stderr)
    if not chosen.out:
        print(text, end="")
        return 0
    try:
        with open(chosen.out, "x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise CommandError(f"cannot write {chosen.out}: {error.strerror}") from error
    print(f"{chosen.out}: a proposal; read it, and docs/limits.md, before the robot moves by it")
    if chosen.geometry:
        from vla_cli.doctor import doctor_geometry  # loads what only this takes

        commanded = ActionSpace.load(chosen.out).dimension_names
        file = Path(chosen.geometry)
        written = doctor_geometry.propose(Path(chosen.limits), commanded, file)
        print(f"written: {', '.join(map(str, written))}; read docs/arm.md")
    return 0


def is_urdf(path: Path) -> bool:
    """Whether a file is taken for a URDF, and not for a bag."""
    return path.suffix.lower() in (".urdf", ".xml", ".xacro")


def propose(path: Path, rate: float) -> str:
    """The proposed action space file, which `ActionSpace.load` accepts.

    Raises:
        CommandError: the file is neither a URDF nor a bag, or nothing follows from it.
    """
    if not path.exists():
        raise CommandError(f"{path} does not exist; accepted: a URDF file or a bag")
    left_out: tuple[str, ...] = ()
    if is_urdf(path):
        robot = read_urdf(path)
        name, left_out = robot.name, robot.left_out
        proposals = [_of_joint(joint) for joint in robot.joints]
    else:
        name, proposals = _from_bag(path)
    text = _file(name, proposals, left_out, rate, path)
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


def _of_joint(joint: UrdfJoint) -> Proposal:
    speed = SHARE * joint.velocity
    about = "; ".join(joint.rules) or "range of the URDF"
    return Proposal(
        name=joint.name,
        kind="joint_position",
        unit=joint.unit,
        low=joint.low,
        high=joint.high,
        velocity=speed,
        acceleration=speed / RISE,
        jerk=speed / RISE / ONSET,
        frame=joint.frame,
        output=("joint_trajectory", "trajectory_msgs/msg/JointTrajectory", joint.name),
        notes=f"{about}; velocity: {SHARE:g} of its {joint.velocity:g}; acceleration and jerk: a "
        "rule" + (f"; effort {joint.effort}" if joint.effort else ""),
    )


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


def _file(
    name: str, proposals: list[Proposal], left_out: Sequence[str], rate: float, path: Path
) -> str:
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
    missing = "".join(f"{_LEFT_OUT}{_comment(line)}\n" for line in left_out)
    return missing + head + "".join(_dimension(p) for p in proposals)


def _dimension(p: Proposal) -> str:
    topic, message, field = p.output

    def limits(factor: float) -> str:
        acceleration, jerk = p.acceleration * factor, p.jerk * (factor**2)
        return f"{{velocity: {p.velocity:.6g}, acceleration: {acceleration:.6g}, jerk: {jerk:.6g}}}"

    return f"""  # {_comment(p.notes)}
  - name: {_word(p.name)}
    kind: {p.kind}
    unit: {p.unit}
    range: [{p.low:.6g}, {p.high:.6g}]
    normal: {limits(1.0)}
    emergency: {limits(EMERGENCY)}
    frame: {_word(p.frame)}
    output: {{topic: {_word(topic)}, type: {message}, field: {_word(field)}}}
"""


def _comment(text: str) -> str:
    """One line, whatever is in it."""
    return " ".join(text.split())


def _word(text: str) -> str:
    """A text as a YAML string, whatever is in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _time_to_rest(p: Proposal) -> float:
    acceleration, jerk = p.acceleration * EMERGENCY, p.jerk * EMERGENCY**2
    ramp = acceleration / jerk
    if p.velocity >= acceleration * ramp:
        return p.velocity / acceleration + ramp
    return 2.0 * math.sqrt(p.velocity / jerk)
