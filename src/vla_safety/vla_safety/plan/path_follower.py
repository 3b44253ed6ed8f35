"""Lets the robot follow what is asked for at the path speed. Free of ROS.

Velocities are scaled by it; positions come to their rows later, because path time goes on by it.
A hold that is no emergency is a path speed that falls to 0: the robot brakes along its plan. While
it does so no velocity grows, whatever the plan has next.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vla_contract import rotations
from vla_contract.action_space import ActionSpace, Kind, Orientation
from vla_contract.stamps import NANOSECONDS
from vla_safety.limits.axes import Limit, LimitViolation
from vla_safety.plan.path_speed import FREE, Factor, PathSpeed
from vla_safety.plan.sequencing import Sequencer, mixed

BRAKING = "braking"
FADING_IN = "fading in"
FOLLOWING = "following"
# s of motion by which a position may be behind the path before the path waits for it.
_BEHIND = 0.1


@dataclass(frozen=True)
class Motion:
    """What is asked for in one period, at full speed.

    row: SI, shape (width,). rates: the speed along the path that it has there, per s and
    dimension: of velocities the row itself, of grippers 0, of an orientation's first dimension its
    angular speed and of the others 0.
    """

    row: list[float]
    rates: list[float]


class PathFollower:
    """See the module. Times are ns of the node clock."""

    def __init__(self, space: ActionSpace, sequencer: Sequencer) -> None:
        self._space = space
        self._sequencer = sequencer
        self._period = round(space.period * NANOSECONDS)
        turning = {i for orientation in space.orientations for i in orientation.indices}
        self._poses = [
            i
            for i, d in enumerate(space.dimensions)
            if not d.kind.is_velocity and d.kind is not Kind.GRIPPER
        ]
        self._positions = [i for i in self._poses if i not in turning]
        self.speed = PathSpeed(space)
        self._last: Motion | None = None  # what was followed in the last period
        self._sent: list[float] | None = None  # and what was requested of the limiter
        self._by_policy = False
        self._braking = False
        self._behind = 0.0
        self._fade = _FadeIn()

    def advance_clock(self, now: int) -> None:
        """A period begins: path time has gone on by the speed since the last one."""
        self._sequencer.clock.advance(now, self.speed.value)

    def fade_in(self) -> None:
        """Let the next motion begin slowly: after arming, a takeover or a recovery."""
        self._fade.wanted = True

    def planned(self, now: int) -> Motion | None:
        """What the plan asks for now; None where there is none."""
        row = self._sequencer.at(now)
        if row is None:
            return None
        later = self._sequencer.ahead(now, self._period) if self._poses else None
        return self.motion(row, later)

    def motion(self, row: Sequence[float], later: Sequence[float] | None = None) -> Motion:
        """A row, and the rates that follow from it and from the row a period later."""
        rates = [
            value if dimension.kind.is_velocity else 0.0
            for value, dimension in zip(row, self._space.dimensions, strict=True)
        ]
        if later is not None:
            for i in self._positions:
                rates[i] = (later[i] - row[i]) / self._space.period
            for orientation in self._space.orientations:
                angle = _angle(orientation, row, later)
                rates[orientation.indices[0]] = angle / self._space.period
        return Motion(list(row), rates)

    def follow(
        self,
        motion: Motion,
        factors: Iterable[Factor],
        ceilings: Iterable[Factor],
        *,
        by_policy: bool,
        fade_time: float,
        values: Sequence[float],
        now: int,
    ) -> list[float]:
        """What to request of the limiter in this period.

        fade_time: s. values: the present command, SI.
        """
        if self._braking:
            self._braking = False
            self._sequencer.end_brake()
        if by_policy and self._fade.begins(now, fade_time, values) and self._last is None:
            self.speed.restart(0.0)
        share = self._fade.share(now, fade_time) if by_policy else 1.0
        own = [Factor(FADING_IN, share), Factor(FOLLOWING, 2.0 - self._behind / _BEHIND)]
        self.speed.advance(motion.rates, [*factors, *own], ceilings)
        self._last, self._by_policy = motion, by_policy
        row = self._scaled(motion)
        if share < 1.0:
            faded = mixed(list(self._fade.start), row, share, self._space.orientations)
            for i in self._poses:
                row[i] = faded[i]
        self._sent = row
        return row

    def brake(
        self, now: int, *, emergency: bool, at_rest: bool, values: Sequence[float],
        resting: Sequence[float],
    ) -> list[float] | None:  # fmt: skip
        """What to request of the limiter while nobody may drive; None: brake by itself.

        at_rest: the last command was. values: the present command, SI; resting: where each
        dimension comes to rest soonest.
        """
        if emergency or at_rest or self._last is None:
            self._end_brake()
            return None
        if not self._braking:
            self._braking = True
            self._sequencer.begin_brake()
        motion = self._last
        if self._by_policy:
            row = self._sequencer.brake_at(now)
            if row is None:
                self._end_brake()
                return None
            motion = self.motion(row, self._sequencer.brake_at(now, self._period))
        if self.speed.advance(motion.rates, [Factor(BRAKING, 0.0)]) == 0.0:
            self._end_brake()
            return None
        row = self._scaled(motion)
        for i, dimension in enumerate(self._space.dimensions):
            if dimension.kind.is_velocity:
                row[i] = _no_faster(row[i], values[i])
            elif dimension.kind is Kind.GRIPPER:
                row[i] = resting[i]
        return row

    def observe_command(self, safe: Sequence[float]) -> None:
        """What the limiter made of the last request: positions may be behind it."""
        self._behind = 0.0
        if self._sent is not None:
            ways = [(i, abs(self._sent[i] - safe[i])) for i in self._positions]
            for orientation in self._space.orientations:
                ways.append((orientation.indices[0], _angle(orientation, self._sent, safe)))
            self._behind = max((self._time_of(*way) for way in ways), default=0.0)

    def violations(self) -> tuple[LimitViolation, ...]:
        """What slows the robot down in this period."""
        factor = self.speed.factor
        if factor is FREE:
            return ()
        slowed = LimitViolation(Limit.PATH_SPEED, "", 1.0, self.speed.value, factor.name)
        return (factor.violation or slowed,)

    def restart(self) -> None:
        """The motion begins anew: it is not known what was followed."""
        self._end_brake()

    def _end_brake(self) -> None:
        self._braking = False
        self._last = self._sent = None
        self._behind = 0.0
        self.speed.restart()
        self._sequencer.end_brake()

    def _scaled(self, motion: Motion) -> list[float]:
        s = self.speed.value
        if s == 1.0:
            return list(motion.row)
        return [
            value * s if dimension.kind.is_velocity else value
            for value, dimension in zip(motion.row, self._space.dimensions, strict=True)
        ]

    def _time_of(self, index: int, way: float) -> float:
        behind = way / self._space.dimensions[index].normal.velocity
        return behind if math.isfinite(behind) else math.inf


def _angle(orientation: Orientation, a: Sequence[float], b: Sequence[float]) -> float:
    """Between the orientations of two rows, rad, the shorter way; infinite where one has none."""
    before, after = orientation.read(a), orientation.read(b)
    if before is None or after is None:
        return math.inf
    return math.hypot(*rotations.logarithm(rotations.multiply(after, rotations.inverse(before))))


def _no_faster(asked: float, present: float) -> float:
    """As much of what is asked for as leads from the present value towards 0."""
    return min(max(asked, min(0.0, present)), max(0.0, present))


class _FadeIn:
    """Share of the motion from the first period on in which something moves the robot again."""

    def __init__(self) -> None:
        self.wanted = False
        self.start: Sequence[float] = ()
        self._since = 0
        self._fading = False

    def begins(self, now: int, seconds: float, values: Sequence[float]) -> bool:
        """Begin where that is wanted, from these commands (SI); whether it did."""
        if not self.wanted:
            return False
        self.wanted = False
        self._fading, self._since, self.start = seconds > 0.0, now, list(values)
        return self._fading

    def share(self, now: int, seconds: float) -> float:
        """0 to 1, with no kink where it begins and ends."""
        if self._fading:
            gone = max(0, now - self._since) / NANOSECONDS
            if gone < seconds:
                share = gone / seconds
                return share * share * (3.0 - 2.0 * share)
            self._fading = False
        return 1.0
