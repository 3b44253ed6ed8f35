"""Messages of the robot's commands, as the action space says: one message per topic.

Every topic carries all its dimensions in one message of one type; so does the goal of an action.
Fields that no dimension commands stay 0. control_msgs, which the wheels lack, is imported only
where an action space names a type of it.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, Twist, TwistStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_contract import rotations
from vla_contract.action_space import ActionSpace, ActionSpaceError, Dimension, Kind, Orientation
from vla_contract.stamps import NANOSECONDS, to_time

_TWIST_FIELDS = tuple(f"{part}.{axis}" for part in ("linear", "angular") for axis in "xyz")
_INDEX = re.compile(r"data\[(\d{1,3})\]")

# Values of the topic's dimensions and the time of publishing → message.
Build = Callable[[Sequence[float], Time], Any]


class Output:
    """One topic: which dimensions it carries and how its message is built."""

    def __init__(self, dimensions: list[tuple[int, Dimension]], period: float) -> None:
        """dimensions: (index in the action space, dimension), all of one topic.

        Raises:
            ActionSpaceError: types or fields do not fit together.
        """
        first = dimensions[0][1].output
        self.topic = first.topic
        self.indices = [index for index, _ in dimensions]
        for _, dimension in dimensions:
            if dimension.output.type != first.type:
                raise ActionSpaceError(
                    f"topic {first.topic} has types {first.type} and {dimension.output.type}; "
                    "accepted: one type per topic"
                )
        outputs = [dimension.output.field for _, dimension in dimensions]
        if len(set(outputs)) != len(outputs):
            raise ActionSpaceError(f"topic {first.topic} has a field twice: {', '.join(outputs)}")
        self.is_action = "/action/" in first.type
        self.message_type = _class_of(first.type)
        make = _BUILDERS[first.type]
        self.build: Build = make([dimension for _, dimension in dimensions], period)

    def message(self, values: Sequence[float], stamp: Time) -> Any:
        """Message with this topic's share of a whole command; of an action its goal."""
        return self.build([values[i] for i in self.indices], stamp)


def make_outputs(space: ActionSpace) -> list[Output]:
    """One output per topic; raises ActionSpaceError naming what does not fit."""
    by_topic: dict[str, list[tuple[int, Dimension]]] = {}
    for index, dimension in enumerate(space.dimensions):
        by_topic.setdefault(dimension.output.topic, []).append((index, dimension))
    return [Output(dimensions, space.period) for dimensions in by_topic.values()]


def _twist_setters(dimensions: list[Dimension], prefix: str) -> list[tuple[str, str]]:
    accepted = [prefix + field for field in _TWIST_FIELDS]
    for dimension in dimensions:
        if dimension.output.field not in accepted:
            raise _unknown_field(dimension, ", ".join(accepted))
    paths = [d.output.field.removeprefix(prefix).partition(".") for d in dimensions]
    return [(part, axis) for part, _, axis in paths]


def _fill(twist: Twist, setters: list[tuple[str, str]], values: Sequence[float]) -> None:
    for (part, axis), value in zip(setters, values, strict=True):
        setattr(getattr(twist, part), axis, value)


def _twist(dimensions: list[Dimension], period: float) -> Build:
    setters = _twist_setters(dimensions, "")

    def build(values: Sequence[float], stamp: Time) -> Twist:
        message = Twist()
        _fill(message, setters, values)
        return message

    return build


def _twist_stamped(dimensions: list[Dimension], period: float) -> Build:
    setters = _twist_setters(dimensions, "twist.")
    frame = _one_frame(dimensions, "TwistStamped")

    def build(values: Sequence[float], stamp: Time) -> TwistStamped:
        message = TwistStamped()
        message.header.stamp = stamp
        message.header.frame_id = frame
        _fill(message.twist, setters, values)
        return message

    return build


def _float64(dimensions: list[Dimension], period: float) -> Build:
    if len(dimensions) != 1 or dimensions[0].output.field != "data":
        raise _unknown_field(dimensions[-1], "data, of one dimension per topic")
    return lambda values, stamp: Float64(data=values[0])


def _array(dimensions: list[Dimension], period: float) -> Build:
    indices = []
    for dimension in dimensions:
        match = _INDEX.fullmatch(dimension.output.field)
        if match is None:
            raise _unknown_field(dimension, "data[0], data[1], ...")
        indices.append(int(match.group(1)))
    if sorted(indices) != list(range(len(indices))):
        raise _unknown_field(dimensions[0], f"every index from 0 to {len(indices) - 1}")

    def build(values: Sequence[float], stamp: Time) -> Float64MultiArray:
        data = [0.0] * len(indices)
        for index, value in zip(indices, values, strict=True):
            data[index] = value
        return Float64MultiArray(data=data)

    return build


def _require(dimensions: list[Dimension], holds: Callable[[Dimension], bool], what: str) -> None:
    for dimension in dimensions:
        if not holds(dimension):
            raise ActionSpaceError(
                f"kind of {dimension.name} is {dimension.kind.value}; accepted for "
                f"{dimension.output.type}: {what}"
            )


def _is_position(dimension: Dimension) -> bool:
    """Of a joint; a gripper's opening is one."""
    gripper = dimension.kind is Kind.GRIPPER
    return gripper or dimension.kind is Kind.JOINT_POSITION


def _trajectory(dimensions: list[Dimension], period: float) -> Build:
    _require(dimensions, _is_position, "positions of joints and grippers")
    names = [dimension.output.field for dimension in dimensions]
    # The controller is to be at the point when the next command comes.
    after = to_time(round(period * NANOSECONDS))

    def build(values: Sequence[float], stamp: Time) -> JointTrajectory:
        point = JointTrajectoryPoint(positions=list(values))
        point.time_from_start.sec = after.sec
        point.time_from_start.nanosec = after.nanosec
        # A stamp would say when the trajectory begins; zero says at once, also for a controller
        # that received it a little late.
        return JointTrajectory(joint_names=names, points=[point])

    return build


def _joint_state(dimensions: list[Dimension], period: float) -> Build:
    velocities = any(dimension.kind is Kind.JOINT_VELOCITY for dimension in dimensions)
    if velocities:
        # Arrays of a JointState are as long as the names, or empty.
        what = "velocities of joints alone, or positions alone"
        _require(dimensions, lambda d: d.kind is Kind.JOINT_VELOCITY, what)
    else:
        _require(dimensions, _is_position, "positions or velocities of joints, and grippers")
    names = [dimension.output.field for dimension in dimensions]

    def build(values: Sequence[float], stamp: Time) -> JointState:
        message = JointState(name=names)
        message.header.stamp = stamp
        if velocities:
            message.velocity = list(values)
        else:
            message.position = list(values)
        return message

    return build


_POSITIONS = tuple(f"pose.position.{axis}" for axis in "xyz")
_VECTOR = tuple(f"pose.orientation.rotation_vector.{axis}" for axis in "xyz")
_COLUMNS = tuple(f"pose.orientation.rotation_6d.{i}" for i in range(6))


def _pose_stamped(dimensions: list[Dimension], period: float) -> Build:
    fields = [dimension.output.field for dimension in dimensions]
    turning = _COLUMNS if _COLUMNS[0] in fields else _VECTOR
    accepted = (*_POSITIONS, *turning)
    for dimension in dimensions:
        if dimension.output.field not in accepted:
            raise _unknown_field(dimension, ", ".join(accepted))
    if missing := [field for field in accepted if field not in fields]:
        raise ActionSpaceError(
            f"topic {dimensions[0].output.topic} lacks {', '.join(missing)}; accepted: a whole "
            "pose, for a PoseStamped has no part that says nothing"
        )
    for dimension in dimensions:
        wanted = Kind.END_EFFECTOR_POSITION
        if dimension.output.field not in _POSITIONS:
            wanted = Kind.END_EFFECTOR_ORIENTATION
        _require([dimension], lambda d, w=wanted: d.kind is w, f"{wanted.value} in this field")  # type: ignore[misc]
    frame = _one_frame(dimensions, "PoseStamped")
    position = [fields.index(field) for field in _POSITIONS]
    orientation = Orientation(tuple(fields.index(field) for field in turning))
    last = rotations.IDENTITY

    def build(values: Sequence[float], stamp: Time) -> PoseStamped:
        nonlocal last
        message = PoseStamped()
        message.header.stamp = stamp
        message.header.frame_id = frame
        place, turned = message.pose.position, message.pose.orientation
        place.x, place.y, place.z = (float(values[i]) for i in position)
        q = orientation.read(values)
        assert q is not None, "the limiter tells orientations only"
        # Of the two quaternions of a rotation the one nearer to the last: drivers interpolate.
        if sum(a * b for a, b in zip(q, last, strict=True)) < 0.0:
            q = (-q[0], -q[1], -q[2], -q[3])
        last = q
        turned.x, turned.y, turned.z, turned.w = q
        return message

    return build


def _joint_jog(dimensions: list[Dimension], period: float) -> Build:
    _require(dimensions, lambda d: d.kind is Kind.JOINT_VELOCITY, "velocities of joints")
    names = [dimension.output.field for dimension in dimensions]
    frame = _one_frame(dimensions, "JointJog")
    jog = _class_of(dimensions[0].output.type)

    def build(values: Sequence[float], stamp: Time) -> Any:
        message = jog(joint_names=names, velocities=list(values), duration=period)
        message.header.stamp = stamp
        message.header.frame_id = frame
        return message

    return build


_GRIPPER_FIELDS = ("command.position", "command.max_effort")


def _gripper_goal(dimensions: list[Dimension], period: float) -> Build:
    _require(dimensions, lambda d: d.kind is Kind.GRIPPER, "grippers")
    for dimension in dimensions:
        if dimension.output.field not in _GRIPPER_FIELDS:
            raise _unknown_field(dimension, ", ".join(_GRIPPER_FIELDS))
    names = [dimension.output.field.removeprefix("command.") for dimension in dimensions]
    if "position" not in names:
        raise _unknown_field(dimensions[0], "command.position, and command.max_effort beside it")
    goal_type = _class_of(dimensions[0].output.type).Goal

    def build(values: Sequence[float], stamp: Time) -> Any:
        goal = goal_type()
        for name, value in zip(names, values, strict=True):
            setattr(goal.command, name, value)
        return goal

    return build


def _parallel_gripper_goal(dimensions: list[Dimension], period: float) -> Build:
    _require(dimensions, lambda d: d.kind is Kind.GRIPPER, "grippers")
    names = [dimension.output.field for dimension in dimensions]
    goal_type = _class_of(dimensions[0].output.type).Goal

    def build(values: Sequence[float], stamp: Time) -> Any:
        goal = goal_type()
        goal.command.name, goal.command.position = names, list(values)
        return goal

    return build


def _one_frame(dimensions: list[Dimension], what: str) -> str:
    frames = {dimension.frame for dimension in dimensions}
    if len(frames) > 1:
        raise ActionSpaceError(
            f"topic {dimensions[0].output.topic} has frames {', '.join(sorted(frames))}; "
            f"accepted: one frame per {what}"
        )
    return dimensions[0].frame


def _unknown_field(dimension: Dimension, accepted: str) -> ActionSpaceError:
    return ActionSpaceError(
        f"output field of {dimension.name} is {dimension.output.field!r}; accepted for "
        f"{dimension.output.type}: {accepted}"
    )


def _class_of(name: str) -> Any:
    """The class of a message or an action, e.g. of "std_msgs/msg/Float64".

    Raises:
        ActionSpaceError: its package is not installed, or lacks it in the version that is.
    """
    package, part, kind = name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{part}"), kind)
    except ImportError as error:
        raise ActionSpaceError(
            f"output type {name} needs {package}, which is not installed; accepted: sudo apt "
            f"install ros-$ROS_DISTRO-{package.replace('_', '-')}"
        ) from error
    except AttributeError as error:
        raise ActionSpaceError(
            f"output type {name} is not in the installed version of {package}; accepted: a newer "
            "one, or another type"
        ) from error


_BUILDERS: dict[str, Callable[[list[Dimension], float], Build]] = {
    "control_msgs/action/GripperCommand": _gripper_goal,
    "control_msgs/action/ParallelGripperCommand": _parallel_gripper_goal,
    "control_msgs/msg/JointJog": _joint_jog,
    "geometry_msgs/msg/PoseStamped": _pose_stamped,
    "geometry_msgs/msg/Twist": _twist,
    "geometry_msgs/msg/TwistStamped": _twist_stamped,
    "sensor_msgs/msg/JointState": _joint_state,
    "std_msgs/msg/Float64": _float64,
    "std_msgs/msg/Float64MultiArray": _array,
    "trajectory_msgs/msg/JointTrajectory": _trajectory,
}
