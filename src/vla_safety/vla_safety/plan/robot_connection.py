"""Whether commands leave for the robot, what was sent last, and where motion begins. ROS-free."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vla_contract.action_space import ActionSpace
from vla_safety.arm.arm_guard import ArmGuard
from vla_safety.arm.singularity import SingularityGuard
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import (
    Array,
    Limit,
    LimitedStep,
    LimitViolation,
    MotionLimiter,
)
from vla_safety.plan.path_speed import Factor
from vla_safety.surroundings.joint_ranges import JointRanges
from vla_safety.watch.safety_inputs import RobotState, joint_of_position
from vla_safety.watch.safety_states import Cause, Reason, Severity

_JUST_NOW = 0.1  # s


class RobotConnection:
    """Every command passes here. Times are ns of a clock that never jumps.

    Attributes:
        armed: a person wants commands to leave. connected: they do.
        arm: the guard of its shape; None where none is configured.
        unread: what is sent to the robot and nobody reads, in words.
        listen_until: until then a newcomer listens whether another safety node drives.
    """

    def __init__(
        self,
        space: ActionSpace,
        limiter: MotionLimiter,
        robot: RobotState,
        armed: bool,
        arm: ArmGuard | SingularityGuard | None = None,
    ) -> None:
        """arm: None where no arm's shape is configured."""
        self.armed = armed
        self.connected = False
        self.unread = ""
        self.listen_until = 0
        self._space = space
        self._limiter = limiter
        self._robot = robot
        self.arm = arm if isinstance(arm, ArmGuard) else None
        self._singularity = arm if isinstance(arm, SingularityGuard) else None
        # Dimensions whose value must have been measured before the first command.
        self._positions = (
            *joint_of_position(space),
            *(space.dimensions[i].name for i in space.pose_indices),
        )
        self._ranges = JointRanges(space)
        self._sent: Array | None = None
        self._unsent: LimitedStep | None = None  # of a period that has not ended yet

    def is_wanted(self, config: SafetyConfig, steady: int) -> bool:
        """The robot is to be connected; a joint of an unknown position must be sent nowhere."""
        known = all(name in self._robot.measured for name in self._positions)
        return self.armed and not config.shadow and known and steady >= self.listen_until

    def activate(self, config: SafetyConfig, steady: int) -> None:
        """Begin, from the motion that was measured."""
        self.connected = self.is_wanted(config, steady)
        self.start_from(self._robot.measured)

    def switch(self, config: SafetyConfig, steady: int) -> bool:
        """Connect or, at rest, disconnect; True where it was connected as a person wanted."""
        wanted = self.is_wanted(config, steady)
        if self.connected and not wanted and self._limiter.standstill:
            self.connected = False
        if self.connected or not wanted:
            return False
        self.connected = True
        self.start_from(self._robot.measured)
        listened, self.listen_until = self.listen_until, 0
        return not listened

    def causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """What the connection holds the robot for."""
        if self.connected and not self.is_wanted(config, steady):
            text = "shadow mode" if config.shadow else "disarmed"
            yield Cause(Reason.OUTPUTS, Severity.HOLD, f"braking for {text}", "at rest")
        elif steady < self.listen_until:
            text, clears = "listening for another safety node", "none was heard for a moment"
            yield Cause(Reason.START, Severity.HOLD, text, clears)
        if self.arm is not None:
            yield from self.arm.points.causes(steady)
        if self.connected and self.unread:
            clears = "the driver reads this type from this topic"
            yield Cause(Reason.UNREAD, Severity.DEGRADE, self.unread, clears)

    # Commands.

    def limit_command(
        self, requested: list[float] | None, steady: int, **limits: Any
    ) -> LimitedStep:
        """The command of this period; limits: as `MotionLimiter.step` takes them.

        steady: now, for the ranges of joints that are commanded by velocity.
        """
        robot = self._robot
        ends = self._ranges.boundaries(
            self._limiter.values.tolist(), robot.positions, robot.positions_at, steady
        )
        limits["boundaries"] = (*limits.get("boundaries", ()), *ends)
        if self._singularity is not None:
            step = self._singularity.limit_command(
                self._limiter, requested, robot.positions, **limits
            )
        elif self.arm is None:
            step = self._limiter.step(requested, **limits)
        else:
            step = self.arm.limit_command(
                self._limiter, requested, robot.positions, robot.measured, **limits
            )
        return self._sending(step)

    def path_ceilings(self, rates: Sequence[float]) -> list[Factor]:
        """The greatest path speed for which an arm's ends keep their speed; none where it is 1.

        rates: planned speed of each dimension, per s.
        """
        if self.arm is None:
            return []
        speed, most = self.arm.path_ceiling(rates)
        if speed <= most:
            return []
        violation = LimitViolation(Limit.TOOL_SPEED, "", speed, most)
        return [Factor("tool speed", most / speed, violation)]

    def _sending(self, step: LimitedStep) -> LimitedStep:
        self._unsent = step
        if self.connected:
            self._sent = step.safe
        return step

    def end_period(self) -> None:
        """The command that was made is on its way."""
        self._unsent = None

    def braking_command(self, speed_scale: float) -> LimitedStep:
        """The command of a period after a defect: to rest, by the limiter alone.

        Of an arm that is the brake which was found clear before. Where the limiter had already
        moved on before something raised, that command is this period's: it is within the limits,
        and the next one brakes.
        """
        step = self._unsent
        if step is None:
            limiter = self._limiter
            step = self._sending(limiter.step(None, emergency=True, speed_scale=speed_scale))
        self._unsent = None
        return step

    def command_at_rest(self) -> LimitedStep:
        """Where the limiter itself fails: no velocity at once, and the last position kept."""
        values = self._limiter.values if self._sent is None else self._sent
        for i, dimension in enumerate(self._space.dimensions):
            if dimension.kind.is_velocity or not math.isfinite(values[i]):
                values[i] = 0.0
        self._limiter.reset(values)
        if self.connected:
            self._sent = values
        return LimitedStep(values, (), True)

    # Where motion begins.

    def start_elsewhere(self) -> None:
        """The robot was put elsewhere, and is at rest."""
        self._sent = None
        if self.arm is not None:
            self.arm.forget()
        measured = self._robot.measured
        self.start_from({name: measured[name] for name in self._positions if name in measured})

    def start_after(self, gap: float, steady: int) -> None:
        """Begin with what the robot does after `gap` s without a command.

        A driver goes on with the last command until its timeout; then it stops by itself, and the
        old speed is no longer the robot's. One that declares no timeout is taken to have stopped.
        """
        # What was measured before the gap does not count, however short that was ago.
        start = self._robot.recent(steady, min(gap, _JUST_NOW))
        for i, dimension in enumerate(self._space.dimensions):
            timeout = self._space.driver_timeouts.get(dimension.output.topic, 0.0)
            if self._sent is not None and gap < timeout:
                start[dimension.name] = float(self._sent[i])
        self.start_from(start)

    def start_from(self, measured: Mapping[str, float]) -> None:
        """Begin at rest, or with what was measured; a position that was not stays as last sent."""
        self._limiter.reset(self._sent)
        start = self._limiter.values
        for i, dimension in enumerate(self._space.dimensions):
            last = 0.0 if dimension.kind.is_velocity else start[i]
            start[i] = measured.get(dimension.name, last)
        self._limiter.reset(start)
