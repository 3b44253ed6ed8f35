"""What a JointState tells of each joint, and what several of them tell together. Free of ROS.

An arm's driver and a gripper's may share one topic: a message then holds a part of the joints, and
the state of the robot is the newest that came of each. Drivers tell NaN where they measure nothing
(ros2_control does, of every interface that the hardware lacks), which matters only for a joint and
a quantity that somebody needs. Messages are only read, whichever library made them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

MOST_PUBLISHERS = 64
MOST_JOINTS = 1000
SILENT = 500_000_000  # ns without a state after which a joint is left out of what is put together

State = TypeVar("State")


class JointStateError(ValueError):
    """A message that cannot be used; one line with the name of the joint."""


class NotFiniteError(JointStateError):
    """A joint's position is NaN or infinite."""


class Joint(NamedTuple):
    """State of one joint, SI. velocity, effort: NaN where they are not known."""

    position: float
    velocity: float
    effort: float


class JointReading(NamedTuple):
    """What one message tells. left_out: joint → why its part of the message is of no use."""

    joints: dict[str, Joint]
    left_out: dict[str, str]


def read_joints(message: Any, needed: Collection[str] = ()) -> JointReading:
    """The joints of a sensor_msgs/JointState whose positions can be used.

    Args:
        message: has name, position, velocity and effort. A velocity or an effort that is missing,
            not finite or one of another number of values is not known, which refuses nothing.
        needed: joints of which a bad position refuses the message. It need not hold them all.

    Raises:
        JointStateError: no names, another number of positions than of names, or a needed joint
            that has no position or is named twice.
        NotFiniteError: the position of a needed joint is NaN or infinite.
    """
    names = list(message.name)
    if not names:
        raise JointStateError("it names no joint")
    concerned = not needed or any(name in needed for name in names)
    problem = _lengths_problem(names, message.position)
    if problem and concerned:
        raise JointStateError(problem)
    if problem:
        return JointReading({}, dict.fromkeys(names, problem))
    values = zip(
        names,
        _values(message.position, len(names)),
        _values(message.velocity, len(names)),
        _values(message.effort, len(names)),
        strict=True,
    )
    joints = {name: Joint(*state) for name, *state in values}
    left_out = _left_out(names, joints, told=len(message.position) > 0)
    for name in left_out:
        if name in needed:
            kind = NotFiniteError if "finite" in left_out[name] else JointStateError
            raise kind(f"joint {name[:60]} {left_out[name]}")
        del joints[name]
    return JointReading(joints, left_out)


def _lengths_problem(names: Sequence[str], position: Sequence[float]) -> str:
    """In words, where the positions cannot be those of the names; else empty."""
    count = len(position)
    if count in (0, len(names)):
        return ""
    which = f"joint {names[count][:60]} has none" if count < len(names) else "some have no name"
    return f"{len(names)} names and {count} positions ({which}); accepted: as many, or no position"


def _left_out(names: Sequence[str], joints: Mapping[str, Joint], *, told: bool) -> dict[str, str]:
    if not told:
        return dict.fromkeys(joints, "has no position")
    twice = {}
    if len(joints) != len(names):
        counts = Counter(names)
        twice = {name: f"is named {n} times" for name, n in counts.items() if n > 1}
    bad = {
        name: f"is at {joint.position}; accepted: a finite position"
        for name, joint in joints.items()
        if not math.isfinite(joint.position)
    }
    return {**bad, **twice}


def _values(values: Sequence[float], count: int) -> list[float]:
    return [float(v) for v in values] if len(values) == count else [math.nan] * count


def message_fields(joints: Mapping[str, Joint]) -> dict[str, Any]:
    """The fields of a JointState that holds these joints.

    Velocities and efforts of which none is known are left empty, as is usual.
    """
    fields: dict[str, Any] = {"name": list(joints)}
    fields["position"] = [joint.position for joint in joints.values()]
    for quantity in ("velocity", "effort"):
        values = [float(getattr(joint, quantity)) for joint in joints.values()]
        fields[quantity] = values if any(map(math.isfinite, values)) else []
    return fields


class JointTable:
    """The newest state of each joint, and when it was told.

    timeout: ns; a joint that was told nothing of for longer is silent. Stamps and `now` are ns of
    any one clock.
    """

    def __init__(self, timeout: int = SILENT) -> None:
        self._timeout = timeout
        self._joints: dict[str, Joint] = {}
        self._stamps: dict[str, int] = {}

    def add(self, joints: Mapping[str, Joint], stamp: int) -> None:
        """What a message of this stamp told."""
        if len(self._joints) > MOST_JOINTS:  # a publisher that makes up names
            self.forget()
        self._joints.update(joints)
        self._stamps.update(dict.fromkeys(joints, stamp))

    def together(self, stamp: int) -> tuple[dict[str, Joint], int]:
        """The joints told of within the timeout of a stamp, and the newest of their stamps."""
        near = {n: s for n, s in self._stamps.items() if abs(stamp - s) <= self._timeout}
        return {name: self._joints[name] for name in near}, max(near.values(), default=stamp)

    def silent(self, now: int) -> dict[str, int]:
        """Joints told of before and not within the timeout, where others are: their ages, ns."""
        ages = {name: now - stamp for name, stamp in self._stamps.items()}
        found = {name: age for name, age in ages.items() if age > self._timeout}
        return found if len(found) < len(ages) else {}

    def forget(self) -> None:
        """As if nothing had come."""
        self._joints.clear()
        self._stamps.clear()


class PerPublisher(Generic[State]):
    """A state for each publisher of one topic of joint states, told apart by their joints' names.

    Each has an order of its own stamps. make: gives the state of a publisher that is new.
    """

    def __init__(self, make: Callable[[], State]) -> None:
        self._make = make
        self._states: dict[tuple[str, ...], State] = {}

    def of(self, names: Iterable[str]) -> State:
        """The state of the publisher that names these joints."""
        key = tuple(names)
        if key not in self._states:
            if len(self._states) >= MOST_PUBLISHERS:
                del self._states[next(iter(self._states))]
            self._states[key] = self._make()
        return self._states[key]

    def clear(self) -> None:
        """Forget them all."""
        self._states.clear()
