"""All that is watched beside the plan: inputs, clocks, faults, motion; and recovery. Free of ROS.

`InputWatch` judges a graph that runs by itself. `LockStepWatch` judges one whose ticks decide how
much time passes: what comes on wall time must decide nothing there.
"""

from __future__ import annotations

from collections.abc import Iterator

from vla_contract.action_space import ActionSpace
from vla_contract.topics import END_EFFECTOR_POSE as POSE
from vla_contract.topics import JOINT_STATES
from vla_safety.config.safety_config import SafetyConfig, escalating_stall, loop_timeout
from vla_safety.watch.fault_levels import Faults
from vla_safety.watch.motion_detectors import Detectors
from vla_safety.watch.recovery import Recovery
from vla_safety.watch.ros_clock import ClockEvent, RosClock
from vla_safety.watch.safety_inputs import (
    EmergencyStop,
    RobotState,
    joint_of_position,
    joints_of_velocities,
)
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity


class InputWatch:
    """Tell its parts what arrives; it gives the causes of each period.

    Attributes:
        positions: dimension → joint of the positions that must be known before the first command.
        ranged: joints that are commanded by velocity and whose positions must be known.
        other_publishers: why somebody else is at the chunks or at the robot's commands, in words.
    """

    def __init__(self, space: ActionSpace, config: SafetyConfig) -> None:
        self.faults = Faults()
        self.emergency_stop = EmergencyStop()
        self.robot = RobotState()
        self.clock = RosClock(loop_timeout(config, space))
        self.detectors = Detectors(space)
        self.recovery = Recovery()
        self.positions = joint_of_position(space)
        self.ranged = joints_of_velocities(space)
        self._pose = tuple(space.dimensions[i].name for i in space.pose_indices)
        self.other_publishers = ""
        self._escalating_stall = escalating_stall(space)

    def restart(self) -> None:
        """Compare with nothing before."""
        self.clock.restart()
        self.recovery.restart()
        self.detectors.restart()

    def observe_time(self, now: int, steady: int, config: SafetyConfig) -> ClockEvent:
        """What the times of this period show."""
        return self.clock.observe(now, steady, config)

    def urgent_causes(
        self, config: SafetyConfig, now: int, steady: int, event: ClockEvent
    ) -> Iterator[Cause]:
        """Of the emergency stop, the time and other publishers."""
        yield from self.emergency_stop.causes(config, steady)
        yield from self._time_causes(config, now, steady, event)
        if self.other_publishers:
            text, clears = self.other_publishers, "one publisher is left"
            kind = FaultKind.COMMUNICATION
            yield Cause(Reason.PUBLISHERS, Severity.HOLD, text, clears, True, kind)

    def _time_causes(
        self, config: SafetyConfig, now: int, steady: int, event: ClockEvent
    ) -> Iterator[Cause]:
        if event.gap:
            text = f"the safety loop stood still for {event.gap:.1f} s"
            yield Cause(
                Reason.CLOCK, Severity.HOLD, text, "the loop runs", True, FaultKind.CLOCK,
                escalates=event.gap > self._escalating_stall,
            )  # fmt: skip
        yield from self.clock.causes(config, now, steady)

    def state_causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """Of what the robot tells of itself."""
        yield from self.robot.causes(config, steady)
        if JOINT_STATES in config.required_inputs:
            yield from self.robot.joint_causes(self.positions, config, steady, self.ranged)
        for name, joint in self.positions.items():
            if name not in self.robot.measured:
                text, clears = f"the position of {name} is not known", f"joint_states holds {joint}"
                kind = FaultKind.ROBOT_STATE
                yield Cause(Reason.INPUT, Severity.HOLD, text, clears, True, kind)

        if any(name not in self.robot.measured for name in self._pose):
            text, clears = "the pose of the end effector is not known", f"{POSE} is received"
            kind = FaultKind.ROBOT_STATE
            yield Cause(Reason.INPUT, Severity.HOLD, text, clears, True, kind)

    def heartbeat_causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """Of nodes that must be heard and are not."""
        yield from self.faults.heartbeats(config, steady)

    def fault_causes(self, config: SafetyConfig, steady: int, plan_alive: bool) -> Iterator[Cause]:
        """Of the levels that other nodes report; plan_alive: as `Faults.levels` has it."""
        yield from self.faults.levels(config, steady, plan_alive)


class LockStepWatch(InputWatch):
    """The same by ticks: no gap of the loop, no standing clock, no levels of other nodes.

    The chunk that answers each observation decides instead.
    """

    def observe_time(self, now: int, steady: int, config: SafetyConfig) -> ClockEvent:
        """Only a jump: the ticks decide how much time passes."""
        return ClockEvent(super().observe_time(now, steady, config).jump)

    def _time_causes(
        self, config: SafetyConfig, now: int, steady: int, event: ClockEvent
    ) -> Iterator[Cause]:
        yield from ()

    def heartbeat_causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """None: heartbeats come on wall time."""
        yield from ()

    def fault_causes(self, config: SafetyConfig, steady: int, plan_alive: bool) -> Iterator[Cause]:
        """None: levels come on wall time."""
        yield from ()
