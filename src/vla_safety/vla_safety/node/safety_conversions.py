"""Messages ↔ the types of the core. The only decisions here are about the form of a message."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from builtin_interfaces.msg import Time

from vla_contract.action_space import ActionSpace, Kind
from vla_contract.frames import frame_name
from vla_contract.joint_states import Joint
from vla_contract.rotations import quaternion_problem
from vla_contract.stamps import NANOSECONDS, to_nanoseconds, to_time
from vla_interfaces.msg import ActionChunk, Fault, SafeAction, Violation
from vla_safety.decision import Decision
from vla_safety.limits.limiter import LimitViolation
from vla_safety.plan.sequencing import MAX_ROWS, Chunk
from vla_safety.surroundings.measured_pose import Pose
from vla_safety.watch.fault_levels import FaultReport, Level
from vla_safety.watch.safety_states import FaultKind

_MAX_TEXT = 200


def shortened(text: str) -> str:
    """A text fit for a log or a status, whatever its length."""
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"


def chunk_from_message(message: ActionChunk) -> Chunk:
    """Chunk as it came: `check_chunk` judges it. A period that is no number becomes 0."""
    period = message.period
    usable = math.isfinite(period) and 0.0 < period < 1e6
    names = tuple(message.dimension_names)
    # One row more than is accepted is enough to refuse it by.
    most = (MAX_ROWS + 1) * max(1, len(names))
    return Chunk(
        observation_stamp=to_nanoseconds(message.observation_stamp),
        period=round(period * NANOSECONDS) if usable else 0,
        actions=message.actions[:most].tolist(),
        action_space=message.action_space,
        dimension_names=names,
        command_id=int(message.command_id),
        command=shortened(message.command),
        command_stamp=to_nanoseconds(message.command_stamp),
        done=bool(message.done),
        sequence=int(message.observation_sequence),
        progress=float(message.progress),
    )


def fault_from_message(message: Fault) -> FaultReport | None:
    """Fault report; None where kind or level is not one of the message's constants."""
    try:
        kind, level = FaultKind(message.kind), Level(message.level)
    except ValueError:
        return None
    return FaultReport(
        shortened(message.source),
        kind,
        level,
        shortened(message.message),
        to_nanoseconds(message.since),
    )


def fault_to_message(report: FaultReport, now: Time) -> Fault:
    """The message of a report."""
    message = Fault(
        source=report.source,
        kind=int(report.kind),
        level=int(report.level),
        message=report.message,
        since=to_time(report.since),
    )
    message.header.stamp = now
    return message


def violations_to_messages(violations: Iterable[LimitViolation]) -> list[Violation]:
    """The messages of violations."""
    return [
        Violation(
            limit=int(v.limit), dimension=v.dimension, name=v.name, value=v.value, bound=v.bound
        )
        for v in violations
    ]


def safe_action_to_message(
    decision: Decision, space: ActionSpace, tick: int, stamp: Time
) -> SafeAction:
    """The record of one period."""
    nothing = [math.nan] * space.width
    age = decision.observation_age
    message = SafeAction(
        tick=tick,
        period=space.period,
        observation_stamp=to_time(decision.observation_stamp),
        observation_age=math.nan if age is None else age,
        action_space=space.name,
        dimension_names=list(space.dimension_names),
        requested=nothing if decision.requested is None else decision.requested,
        safe=decision.safe.tolist(),
        violations=violations_to_messages(decision.violations),
        verdict=int(decision.verdict),
        state=int(decision.state),
        emergency=decision.emergency,
        outputs_connected=decision.connected,
        command_id=decision.command_id,
        warnings=violations_to_messages(decision.warnings),
        input=decision.input,
        path_speed=decision.path_speed,
        slowed_by=decision.slowed_by,
    )
    message.header.stamp = stamp
    return message


def measured_from_joints(joints: Mapping[str, Joint], space: ActionSpace) -> dict[str, float]:
    """Measured value of every dimension that commands one of these joints.

    Positions and velocities go by the joint that the output names (or by the dimension's own
    name), gripper commands in units of a position likewise. Unknown velocities are left out.
    """
    measured = {}
    for dimension in space.dimensions:
        is_position = dimension.kind is Kind.JOINT_POSITION or (
            dimension.kind is Kind.GRIPPER and dimension.unit in ("m", "rad")
        )
        for name in (dimension.output.field, dimension.name):
            if is_position and name in joints:
                measured[dimension.name] = joints[name].position
                break
            if dimension.kind is Kind.JOINT_VELOCITY and name in joints:
                if math.isfinite(joints[name].velocity):
                    measured[dimension.name] = joints[name].velocity
                break
    return measured


def measured_from_pose(pose: Pose, space: ActionSpace) -> dict[str, float]:
    """Measured value of every dimension that is part of the end effector's pose."""
    row = [math.nan] * space.width
    for i, axis in space.position_axes:
        row[i] = pose.position[axis]
    for orientation in space.orientations:
        orientation.write(row, pose.quaternion)
    return {space.dimensions[i].name: row[i] for i in space.pose_indices}


def pose_frame_problem(pose: Pose, space: ActionSpace, name: str) -> str:
    """Why a pose does not tell where the commanded one is; empty where it does."""
    for i in space.pose_indices:
        frame = frame_name(space.dimensions[i].frame)
        if pose.frame not in ("", frame):
            return (
                f"{name} is in frame {pose.frame[:60]!r}; accepted: {frame!r}, the frame of "
                f"{space.dimensions[i].name}"
            )
    return ""


def measured_from_odometry(message: Any, space: ActionSpace) -> dict[str, float]:
    """Measured velocity of every dimension that goes to a Twist, from Odometry.twist.twist."""
    measured = {}
    for dimension in space.dimensions:
        if dimension.kind.is_velocity and "Twist" in dimension.output.type:
            part, axis = dimension.output.field.split(".")[-2:]
            measured[dimension.name] = float(getattr(getattr(message.twist.twist, part), axis))
    return measured


def pose_from_message(message: Any) -> Pose:
    """Pose of a PoseStamped."""
    return _pose(message.pose, message.header.frame_id)


def pose_from_odometry(message: Any) -> Pose:
    """Pose of an Odometry."""
    return _pose(message.pose.pose, message.header.frame_id)


def pose_from_transform(message: Any) -> Pose:
    """Pose of the child frame of a TransformStamped."""
    p, q = message.transform.translation, message.transform.rotation
    return Pose((p.x, p.y, p.z), (q.x, q.y, q.z, q.w), frame_name(message.header.frame_id))


def _pose(pose: Any, frame: str) -> Pose:
    p, q = pose.position, pose.orientation
    return Pose((p.x, p.y, p.z), (q.x, q.y, q.z, q.w), frame_name(frame))


def twist_from_message(message: Any) -> tuple[float, ...]:
    """Linear x, y, z (m/s) and angular x, y, z (rad/s) of a Twist."""
    linear, angular = message.linear, message.angular
    return (linear.x, linear.y, linear.z, angular.x, angular.y, angular.z)


def pose_problem(pose: Pose, name: str) -> str:
    """Why a pose cannot be used, beginning with its name; empty when it can."""
    if not all(map(math.isfinite, pose.position)):
        return f"{name} is not finite"
    problem = quaternion_problem(pose.quaternion)
    return f"{name}: {problem}" if problem else ""


def odometry_problem(message: Any, measured: Mapping[str, float], *, pose_needed: bool) -> str:
    """Why an Odometry cannot be used; empty when it can.

    measured: what it tells of the action space's dimensions. pose_needed: its pose tells where the
    robot is. What is not needed may be whatever a driver leaves there.
    """
    for name, value in measured.items():
        if not math.isfinite(value):
            return f"odom: the velocity of {name} is {value}; accepted: a finite number"
    return pose_problem(pose_from_odometry(message), "odom") if pose_needed else ""
