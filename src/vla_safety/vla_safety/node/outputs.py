"""Publishers of the robot's commands, as the action space says: one message per topic.

Every topic carries all its dimensions in one message of one type. Fields that no dimension
commands stay 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist, TwistStamped
from std_msgs.msg import Float64, Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_contract.action_space import ActionSpace, ActionSpaceError, Dimension
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
        self.message_type, make = _TYPES[first.type]
        self.build: Build = make([dimension for _, dimension in dimensions], period)

    def message(self, values: Sequence[float], stamp: Time) -> Any:
        """Message with this topic's share of a whole command."""
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
    frames = {dimension.frame for dimension in dimensions}
    if len(frames) > 1:
        raise ActionSpaceError(
            f"topic {dimensions[0].output.topic} has frames {', '.join(sorted(frames))}; "
            "accepted: one frame per TwistStamped"
        )
    frame = dimensions[0].frame

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


def _trajectory(dimensions: list[Dimension], period: float) -> Build:
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


def _unknown_field(dimension: Dimension, accepted: str) -> ActionSpaceError:
    return ActionSpaceError(
        f"output field of {dimension.name} is {dimension.output.field!r}; accepted for "
        f"{dimension.output.type}: {accepted}"
    )


_TYPES: dict[str, tuple[Any, Callable[[list[Dimension], float], Build]]] = {
    "geometry_msgs/msg/Twist": (Twist, _twist),
    "geometry_msgs/msg/TwistStamped": (TwistStamped, _twist_stamped),
    "std_msgs/msg/Float64": (Float64, _float64),
    "std_msgs/msg/Float64MultiArray": (Float64MultiArray, _array),
    "trajectory_msgs/msg/JointTrajectory": (JointTrajectory, _trajectory),
}
