"""Motion that is commanded but does not happen, or leads nowhere. Free of ROS.

Three detectors, each a fault of action once its condition has held for its time without a break:

- limited: the safety limits changed every command of the policy. What slows down on purpose
  (speed scale, speed zones, obstacles) does not count.
- progress: the progress that the policy tells did not rise; where it tells none, the measured
  position did not change although motion was commanded.
- tracking: measured and commanded velocity (end effector, base, joints) or position (joints, end
  effector and its orientation) differ.

Nothing is detected while the outputs are disconnected or nobody drives, of what is not measured,
or with `closed_loop` off. Times are ns of a clock that never jumps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vla_contract import rotations
from vla_contract.action_space import ActionSpace, Kind, Orientation
from vla_contract.stamps import NANOSECONDS
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Limit, LimitViolation
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity

OWN_LIMITS = frozenset(
    (
        Limit.FINITE,
        Limit.RANGE,
        Limit.VELOCITY,
        Limit.ACCELERATION,
        Limit.DECELERATION,
        Limit.JERK,
        Limit.WORKSPACE,
        Limit.NORM,
        Limit.SELF_COLLISION,
    )
)
# Slower than this is no commanded motion, m/s or rad/s.
_MOVING = 0.01


class Lasting:
    """Whether a condition has held without a break for longer than a time."""

    def __init__(self) -> None:
        self._since: int | None = None

    def feed(self, holds: bool, steady: int, seconds: float) -> bool:
        """Take the condition of this period; seconds 0: never."""
        if not holds:
            self._since = None
        elif self._since is None:
            self._since = steady
        if self._since is None or seconds <= 0.0:
            return False
        return steady - self._since > round(seconds * NANOSECONDS)

    def duration(self, steady: int) -> float:
        """For how long it holds, s."""
        return 0.0 if self._since is None else (steady - self._since) / NANOSECONDS


@dataclass(frozen=True)
class Period:
    """What the detectors look at in one control period.

    acting: the robot is connected and somebody drives. by_policy: it is the policy.
    safe: the command that left, SI. measured: dimension name → velocity, or position of a joint.
    progress: as the policy tells it, 0 to 1; NaN where it does not.
    """

    acting: bool
    by_policy: bool
    safe: Sequence[float]
    violations: tuple[LimitViolation, ...]
    measured: Mapping[str, float]
    position: tuple[float, ...] | None = None
    progress: float = math.nan
    command_id: int = 0


class Detectors:
    """Tell it each period; `causes` says what was found."""

    def __init__(self, space: ActionSpace) -> None:
        self._space = space
        self._limited = Lasting()
        self._tracking = Lasting()
        self._progress = _Progress()
        self._worst = ""
        self._found: list[Cause] = []

    def restart(self) -> None:
        """Nothing holds yet."""
        self.__init__(self._space)  # type: ignore[misc]

    def update(self, period: Period, config: SafetyConfig, steady: int) -> None:
        """Take one period, after its command was made."""
        self._found = []
        if not config.closed_loop:
            return
        policy = period.acting and period.by_policy
        limited = policy and any(v.limit in OWN_LIMITS for v in period.violations)
        if self._limited.feed(limited, steady, config.limited_timeout):
            text = f"the limits change every command for over {config.limited_timeout:g} s"
            self._found.append(_cause(Reason.LIMITED, text, "the commands keep the limits"))
        if self._progress.feed(policy, period, self._commanded(period), config, steady):
            text = f"no progress for over {config.progress_timeout:g} s"
            self._found.append(_cause(Reason.PROGRESS, text, "the robot is at rest"))
        deviation = self._deviation(period, config) if period.acting else ""
        self._worst = deviation or self._worst
        if self._tracking.feed(bool(deviation), steady, config.tracking_timeout):
            text = f"{self._worst} for over {config.tracking_timeout:g} s"
            self._found.append(_cause(Reason.TRACKING, text, "the robot is at rest", True))

    def causes(self) -> Iterator[Cause]:
        """What the last period showed."""
        yield from self._found

    def status(self, config: SafetyConfig) -> dict[str, str]:
        """Which detectors are on, for diagnostics."""
        times = {
            "limited": config.limited_timeout,
            "progress": config.progress_timeout,
            "tracking": config.tracking_timeout,
        }
        if not config.closed_loop:
            return dict.fromkeys(times, "off: closed_loop is false")
        return {name: f"after {t:g} s" if t > 0.0 else "off" for name, t in times.items()}

    def _commanded(self, period: Period) -> bool:
        """Motion is commanded that a measurement could show."""
        return any(
            d.kind.is_velocity and abs(value) > _MOVING
            for d, value in zip(self._space.dimensions, period.safe, strict=True)
        )

    def _deviation(self, period: Period, config: SafetyConfig) -> str:
        """The first quantity that differs from its command, in words; empty where none does."""
        bounds = {
            Kind.LINEAR_VELOCITY: config.tracking_linear,
            Kind.ANGULAR_VELOCITY: config.tracking_angular,
            Kind.JOINT_POSITION: config.tracking_position,
            Kind.JOINT_VELOCITY: config.tracking_angular,
            Kind.END_EFFECTOR_POSITION: config.tracking_position,
        }
        for dimension, value in zip(self._space.dimensions, period.safe, strict=True):
            measured = period.measured.get(dimension.name)
            bound = bounds.get(dimension.kind)
            # A gripper that holds something rightly differs from its command.
            if measured is None or bound is None or abs(measured - value) <= bound:
                continue
            return f"measured {dimension.name} differs from its command"
        for orientation in self._space.orientations:
            name = self._space.dimensions[orientation.indices[0]].name
            if self._turned(orientation, period) > config.tracking_position:
                return f"the measured orientation of {name} differs from its command"
        return ""

    def _turned(self, orientation: Orientation, period: Period) -> float:
        """Angle between a commanded and a measured orientation, rad; 0 where none is measured."""
        names = self._space.dimension_names
        row = [period.measured.get(name, math.nan) for name in names]
        measured, commanded = orientation.read(row), orientation.read(period.safe)
        if measured is None or commanded is None:
            return 0.0
        between = rotations.multiply(measured, rotations.inverse(commanded))
        return math.hypot(*rotations.logarithm(between))


class _Progress:
    """Whether what should rise, or move, does."""

    def __init__(self) -> None:
        self._since: int | None = None
        self._command = 0
        self._mark = math.nan
        self._place: tuple[float, ...] | None = None

    def feed(
        self, policy: bool, period: Period, commanded: bool, config: SafetyConfig, steady: int
    ) -> bool:
        """True once there was no progress for longer than the time."""
        tells = math.isfinite(period.progress)
        applies = policy and (tells or (commanded and period.position is not None))
        if not applies or period.command_id != self._command or self._since is None:
            self._begin(period, steady if applies else None)
            return False
        if self._made(period, config):
            self._begin(period, steady)
        timeout = round(config.progress_timeout * NANOSECONDS)
        return timeout > 0 and self._since is not None and steady - self._since > timeout

    def _made(self, period: Period, config: SafetyConfig) -> bool:
        if math.isfinite(period.progress):
            return not period.progress < self._mark + config.progress_rise
        if self._place is None or period.position is None:
            return True
        return math.dist(self._place, period.position) >= config.progress_motion

    def _begin(self, period: Period, since: int | None) -> None:
        self._since = since
        self._command = period.command_id
        self._mark = period.progress
        self._place = period.position


def _cause(reason: Reason, text: str, clears_when: str, emergency: bool = False) -> Cause:
    return Cause(reason, Severity.HOLD, text, clears_when, emergency, FaultKind.ACTION)
