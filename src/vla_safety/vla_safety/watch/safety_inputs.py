"""The emergency stop and the robot's state: their age, their order and what they tell. ROS-free.

Each method returns the causes that its inputs give in this period. `now` is the node clock
(ns), `steady` a clock that never jumps (ns); in lock-step both are the time of the tick.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from vla_contract.action_space import ActionSpace, Dimension, Kind
from vla_contract.joint_states import PerPublisher
from vla_contract.stamps import NANOSECONDS
from vla_contract.topics import JOINT_STATES
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity
from vla_safety.watch.watchdog import Health, StampOrder, Watchdog

# Types of which the output field is the joint's name.
NAMED_JOINTS = (
    "trajectory_msgs/msg/JointTrajectory",
    "sensor_msgs/msg/JointState",
    "control_msgs/msg/JointJog",
    "control_msgs/action/ParallelGripperCommand",
)


class EmergencyStop:
    """The level of the e-stop, and its silence where it must not be silent."""

    def __init__(self) -> None:
        self.pressed = False
        self._watchdog = Watchdog()

    def set_level(self, pressed: bool, steady: int) -> None:
        """The level came; True is pressed."""
        self.pressed = pressed
        self._watchdog.feed(steady)

    def causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """A pressed e-stop stops; so does one that falls silent. Never heard: hold."""
        if self.pressed:
            yield Cause(
                Reason.EMERGENCY_STOP,
                Severity.STOP,
                "the emergency stop is pressed",
                "release the emergency stop",
                True,
                FaultKind.EMERGENCY_STOP,
            )
        if not config.require_emergency_stop:
            return
        timeout = config.emergency_stop_timeout
        health = self._watchdog.check(steady, round(timeout * NANOSECONDS))
        if health is Health.TIMED_OUT:
            yield Cause(
                Reason.EMERGENCY_STOP,
                Severity.STOP,
                f"the emergency stop is silent for over {timeout:g} s",
                "bring the emergency stop back",
                True,
                FaultKind.EMERGENCY_STOP,
            )
        elif health is Health.NOT_RECEIVED:
            yield Cause(
                Reason.EMERGENCY_STOP,
                Severity.HOLD,
                "the emergency stop was never heard",
                "the emergency stop is heard",
                True,
                FaultKind.EMERGENCY_STOP,
            )


def joint_of_dimension(dimension: Dimension) -> str:
    """The joint that a dimension commands."""
    output = dimension.output
    return output.field if output.type in NAMED_JOINTS else dimension.name


def joint_of_position(space: ActionSpace) -> dict[str, str]:
    """Dimension → joint of those whose position must be known before the first command."""
    return {
        d.name: joint_of_dimension(d) for d in space.dimensions if d.kind is Kind.JOINT_POSITION
    }


def joints_of_velocities(space: ActionSpace) -> tuple[str, ...]:
    """Joints that are commanded by velocity and have a range: their positions must be known."""
    return tuple(joint_of_dimension(space.dimensions[i]) for i, _, _ in space.joint_ranges)


class RobotState:
    """Age and order of the robot's state, and what it measured of the commanded quantities."""

    def __init__(self) -> None:
        self.measured: dict[str, float] = {}
        # Of the joints of the parameter required_joints and of those with a range to be kept.
        self.positions: dict[str, float] = {}
        self.positions_at: dict[str, int] = {}  # when they were so
        # When each was told, and when it was so: what waited in a queue was measured before.
        self._measured_at: dict[str, int] = {}
        self._true_at: dict[str, int] = {}
        self._watchdogs: dict[str, Watchdog] = {}
        self._joints: dict[str, int] = {}
        self._orders: dict[str, PerPublisher[StampOrder]] = {}

    def stamp_problem(
        self, name: str, stamp: int, now: int, config: SafetyConfig, publisher: Sequence[str] = ()
    ) -> str:
        """Why an input with this stamp (ns) may not be used; empty where it may.

        Its stamps must grow and be no older, and no further ahead, than `input_timeout`. A stamp
        of 0 is none: the time of arrival counts, for an input that never had one.
        publisher: the joints that it names, where a topic has several.
        """
        order = self._orders.setdefault(name, PerPublisher(StampOrder)).of(publisher)
        problem = order.check(stamp, now, round(config.input_timeout * NANOSECONDS))
        return f"{name} {problem}" if problem else ""

    def update(
        self,
        name: str,
        measured: Mapping[str, float],
        steady: int,
        joints: Mapping[str, float] = MappingProxyType({}),
        age: int = 0,
    ) -> None:
        """An input came (`joint_states`, ...); measured: dimension name → SI value, finite.

        joints: positions of those of the parameter required_joints of which it tells. age: ns
        since it was measured, by its stamp.
        """
        self._watchdogs.setdefault(name, Watchdog()).feed(steady)
        self._joints.update(dict.fromkeys(joints, steady))
        self.positions.update(joints)
        self.positions_at.update(dict.fromkeys(joints, steady - max(0, age)))
        for key, value in measured.items():
            if math.isfinite(value):
                self.measured[key] = value
                self._measured_at[key] = steady
                self._true_at[key] = steady - max(0, age)

    def recent(self, steady: int, seconds: float) -> dict[str, float]:
        """What was measured within the last so many seconds."""
        oldest = steady - round(seconds * NANOSECONDS)
        return {k: v for k, v in self.measured.items() if self._true_at[k] > oldest}

    def forget_stamps(self) -> None:
        """The clock jumped: stamps of before say nothing of the order."""
        self._orders.clear()

    def fresh(self, name: str, config: SafetyConfig, steady: int) -> bool:
        """The input came, and not too long ago."""
        watchdog = self._watchdogs.setdefault(name, Watchdog())
        return watchdog.check(steady, round(config.input_timeout * NANOSECONDS)) is Health.OK

    def age(self, name: str, steady: int) -> float:
        """Time since an input came, s; infinite where it never did."""
        age = self._watchdogs.setdefault(name, Watchdog()).age(steady)
        return math.inf if age is None else age / NANOSECONDS

    def causes(
        self, config: SafetyConfig, steady: int, required: Iterable[str] | None = None
    ) -> Iterator[Cause]:
        """Required inputs that are missing or too old. required: by default the configured ones."""
        for name in config.required_inputs if required is None else required:
            if self.fresh(name, config, steady):
                continue
            never = math.isinf(self.age(name, steady))
            what = "was never received" if never else f"is older than {config.input_timeout:g} s"
            yield Cause(
                Reason.INPUT,
                Severity.HOLD,
                f"{name} {what}",
                f"{name} is received",
                True,
                FaultKind.ROBOT_STATE,
            )

    def joint_causes(
        self,
        positions: Mapping[str, str],
        config: SafetyConfig,
        steady: int,
        ranged: Sequence[str] = (),
    ) -> Iterator[Cause]:
        """Needed joints of which nothing is told although joint_states comes, from other drivers.

        positions: dimension → joint of those whose positions are needed, once they are known.
        ranged: joints that are needed from the beginning on, as those of required_joints.
        """
        if not self.fresh(JOINT_STATES, config, steady):
            return  # which is a cause of its own
        told = {joint: self._joints.get(joint) for joint in (*config.required_joints, *ranged)}
        told |= {j: self._measured_at[d] for d, j in positions.items() if d in self._measured_at}
        for joint, last in told.items():
            age = math.inf if last is None else (steady - last) / NANOSECONDS
            if age <= config.input_timeout:
                continue
            silence = f"is silent for {age:.1f} s" if last is not None else "was never told of"
            yield Cause(
                Reason.INPUT,
                Severity.HOLD,
                f"joint {joint} {silence}, while joint_states comes",
                f"joint_states tells the position of {joint}",
                True,
                FaultKind.ROBOT_STATE,
            )
