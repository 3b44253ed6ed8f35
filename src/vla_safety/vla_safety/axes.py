"""One dimension of the motion, limited in discrete time. Free of ROS.

An axis keeps the value that it published last and that value's differences. `advance` takes a
request and returns the next value, which keeps every limit of the set in force. The state is
always *viable*: braking from it keeps every limit too. That is why a limit never has to be
broken later, whatever is requested next.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from vla_contract.action_space import Dimension, Limits
from vla_safety.braking import Rates

_PLANNED_SHARE = 1.0 - 1e-6


class Limit(enum.IntEnum):
    """Which limit changed a request; the numbers of vla_interfaces/msg/Violation."""

    FINITE = 0
    RANGE = 1
    VELOCITY = 2
    ACCELERATION = 3
    JERK = 4
    AGE = 5
    WORKSPACE = 6
    NORM = 7
    SPEED_SCALE = 8
    EXHAUSTED = 9
    DECELERATION = 10
    OBSTACLE = 11
    SPEED_ZONE = 12


@dataclass(frozen=True)
class LimitViolation:
    """One limit that a request would have broken; `value` and `bound` in the limit's unit.

    name: what it is about where the dimension does not tell (a norm, a zone, a source).
    """

    limit: Limit
    dimension: str
    value: float
    bound: float
    name: str = ""


class _Reference(NamedTuple):
    """The last request of a position, its differences, and whether they keep the limits."""

    value: float
    rate: float
    acceleration: float
    smooth: bool


class Axis:
    """What velocity and position dimensions have in common.

    value: last published, SI. rate, acceleration: its first and second derivative as far as the
    dimension's limits count them (for a velocity kind, `rate` is the value itself).
    """

    def __init__(self, dimension: Dimension, period: float) -> None:
        self.dimension = dimension
        self.period = period
        self.normal = _rates(dimension.normal, period)
        self.emergency = _rates(dimension.emergency, period)
        self.value = 0.0
        self.rate = 0.0
        self.acceleration = 0.0
        # True while the emergency set is in force: from an emergency until the normal set can
        # be kept again.
        self.in_emergency = False
        self.reset(None)

    def reset(self, value: float | None) -> None:
        """Start at this value (None or not finite: 0), clipped into the range, with no past."""
        start = 0.0 if value is None or not math.isfinite(value) else value
        self.value = min(max(start, self.dimension.low), self.dimension.high)
        self.rate = 0.0
        self.acceleration = 0.0
        self.in_emergency = False

    def advance(
        self,
        request: float | None,
        emergency: bool,
        scale: float,
        violations: list[LimitViolation],
    ) -> float:
        """Move by one period; returns the new value.

        request: SI; None brakes to rest. Not finite: brakes too, and says so.
        emergency: use the emergency set. scale: of the velocity limit, 0 to 1.
        """
        if request is not None and not math.isfinite(request):
            violations.append(self._violation(Limit.FINITE, request, self.hold_target(emergency)))
            request = None
        if emergency:
            self.in_emergency = self.in_emergency or self._may_enter_emergency()
        elif self.in_emergency:
            # Until the normal set can be kept again, the emergency set stays in force and the
            # axis goes on braking: nothing else is sure to end the transition.
            self.in_emergency = not self._viable(self.normal, self.normal.velocity * scale)
            if self.in_emergency:
                request = None
        rates = self.emergency if self.in_emergency else self.normal
        self._step(request, rates, rates.velocity * scale, violations)
        return self.value

    def hold_target(self, emergency: bool = False) -> float:
        """Value at which the axis comes to rest soonest."""
        raise NotImplementedError

    def _step(
        self, request: float | None, rates: Rates, top: float, violations: list[LimitViolation]
    ) -> None:
        raise NotImplementedError

    def _viable(self, rates: Rates, top: float) -> bool:
        raise NotImplementedError

    def _may_enter_emergency(self) -> bool:
        return True

    def _violation(self, limit: Limit, value: float, bound: float) -> LimitViolation:
        return LimitViolation(limit, self.dimension.name, value, bound)

    def _clip(self, request: float, violations: list[LimitViolation]) -> float:
        low, high = self.dimension.low, self.dimension.high
        if request > high:
            violations.append(self._violation(Limit.RANGE, request, high))
            return high
        if request < low:
            violations.append(self._violation(Limit.RANGE, request, low))
            return low
        return request

    def _too_fast(self, rate: float, rates: Rates, top: float) -> LimitViolation:
        # The scale is to blame only where the full limit would have let the request pass.
        limit = Limit.SPEED_SCALE if abs(rate) <= rates.velocity else Limit.VELOCITY
        return self._violation(limit, rate, math.copysign(top, rate))

    def _too_abrupt(self, chosen: float, wanted: float, rates: Rates) -> LimitViolation:
        """Name the limit that kept the acceleration at `chosen` where `wanted` was needed."""
        if abs(chosen) >= rates.acceleration * (1.0 - 1e-12) and abs(wanted) > abs(chosen):
            bound = math.copysign(rates.acceleration, wanted)
            return self._violation(Limit.ACCELERATION, wanted, bound)
        # Either the acceleration cannot change that fast now, or it could not be taken back in
        # the next period.
        changes = (wanted - self.acceleration, -wanted)
        jerk = max(changes, key=abs) / self.period
        bound = math.copysign(rates.quantum / self.period, jerk)
        return self._violation(Limit.JERK, jerk, bound)


class VelocityAxis(Axis):
    """A dimension whose value is a velocity: at rest at 0, stops by going there."""

    def reset(self, value: float | None) -> None:
        """Start at this velocity with no acceleration."""
        super().reset(value)
        self.rate = self.value
        self._reference = self.value
        self._slope = 0.0

    def hold_target(self, emergency: bool = False) -> float:
        """0."""
        return 0.0

    @property
    def at_rest(self) -> bool:
        """The last command was 0."""
        return self.value == 0.0

    def _viable(self, rates: Rates, top: float) -> bool:
        if abs(self.acceleration) > rates.acceleration:
            return False
        peak = self.value + rates.drift(self.acceleration)
        return max(self.dimension.low, -top) <= peak <= min(self.dimension.high, top)

    def _step(
        self, request: float | None, rates: Rates, top: float, violations: list[LimitViolation]
    ) -> None:
        v, t = self.value, self.period
        low, high = max(self.dimension.low, -top), min(self.dimension.high, top)
        target = 0.0
        if request is not None:
            target = self._clip(request, violations)
            if abs(target) > top:
                violations.append(self._too_fast(target, rates, top))
                target = math.copysign(top, target)
        # Aiming at the velocity at which the request would level off, were its acceleration
        # taken back at once, lets a request pass that keeps the limits by itself.
        aim = min(max(target + self._lead(request, target, rates), low), high)
        first, last = rates.window(self.acceleration)
        chosen = min(max(rates.acceleration_for(aim - v), first), last)
        value = min(max(v + chosen * t, self.dimension.low), self.dimension.high)
        if abs(value - target) <= rates.grain * t:
            value = target
        elif request is not None:
            violations.append(self._too_abrupt(chosen, (target - v) / t, rates))
        self.acceleration = (value - v) / t
        self.value = self.rate = value

    def _lead(self, request: float | None, target: float, rates: Rates) -> float:
        slope = (target - self._reference) / self.period
        smooth = (
            request is not None
            and abs(slope) <= rates.acceleration * (1.0 + 1e-9)
            and abs(slope - self._slope) <= rates.quantum * (1.0 + 1e-9)
        )
        self._reference, self._slope = target, slope
        return rates.drift(slope) if smooth else 0.0


class PositionAxis(Axis):
    """A dimension whose value is a position or an effort: at rest when it no longer changes."""

    def __init__(self, dimension: Dimension, period: float) -> None:
        # Braking is planned with a little less than the limits: rounding errors, which add up
        # over a long brake, can then be made good within them.
        self._normal_plan = _rates(dimension.normal, period, _PLANNED_SHARE)
        self._emergency_plan = _rates(dimension.emergency, period, _PLANNED_SHARE)
        super().__init__(dimension, period)

    def _plan(self, rates: Rates) -> Rates:
        return self._normal_plan if rates is self.normal else self._emergency_plan

    def reset(self, value: float | None) -> None:
        """Start at rest at this value."""
        super().reset(value)
        self._reference = _Reference(self.value, 0.0, 0.0, True)
        # Limit set and displacement until rest from the present state, where it is known.
        self._left: tuple[Rates, float] | None = None

    def hold_target(self, emergency: bool = False) -> float:
        """Present value, and the way that braking takes."""
        hard = emergency or self.in_emergency
        return self._stop(self._emergency_plan if hard else self._normal_plan)

    def _stop(self, plan: Rates) -> float:
        stop = self.value + plan.stopping_distance(self.rate, self.acceleration)
        return min(max(stop, self.dimension.low), self.dimension.high)

    @property
    def at_rest(self) -> bool:
        """The last command repeated the one before."""
        return self.rate == 0.0

    def _viable(self, rates: Rates, top: float) -> bool:
        if abs(self.acceleration) > rates.acceleration:
            return False
        if abs(self.rate + rates.drift(self.acceleration)) > top:
            return False
        return self._stays_in_range(rates)

    def _may_enter_emergency(self) -> bool:
        # About to turn back near an end of the range, the axis needs the deceleration that it
        # has; the emergency brake would take it back sooner and go further. The normal brake,
        # which keeps the emergency limits too, then goes on for the few periods it takes.
        return self._stays_in_range(self.emergency)

    def _stays_in_range(self, rates: Rates) -> bool:
        """Braking with these rates from here never leaves the range."""
        rates = self._plan(rates)
        v, a = self.rate, self.acceleration
        end = self.value + rates.stopping_distance(v, a)
        if not self.dimension.low <= end <= self.dimension.high:
            return False
        if v * (v + rates.drift(a)) >= 0.0:
            return True
        # It turns back on the way to its end; the turning point is what counts.
        forward, turn = v > 0.0, self.value
        while v != 0.0 and (v > 0.0) == forward:
            a = rates.brake(v, a)
            v += a * self.period
            turn += v * self.period if (v > 0.0) == forward else 0.0
        return self.dimension.low <= turn <= self.dimension.high

    def _step(
        self, request: float | None, rates: Rates, top: float, violations: list[LimitViolation]
    ) -> None:
        x, v, t = self.value, self.rate, self.period
        plan = self._plan(rates)
        target = x
        if request is None:
            self._follow(x, rates, smooth=False)
            aim = self._stop(plan)
        else:
            target = self._clip(request, violations)
            aim = self._aim(target, rates)
        chosen = self._towards(aim - x, rates, top)
        rate = v + chosen * t
        if abs(rate) <= rates.grain * t:
            rate = 0.0
        value = min(max(x + rate * t, self.dimension.low), self.dimension.high)
        if request is not None:
            if abs(value - target) <= max(rates.grain * t * t, 4.0 * math.ulp(target)):
                value = target
            else:
                violations.append(self._blame(rate, chosen, (target - x) / t, rates, top))
        rate = (value - x) / t
        self.acceleration = (rate - v) / t
        self.value, self.rate = value, rate

    def _aim(self, target: float, rates: Rates) -> float:
        # Where the request would come to rest, were it to brake from here: a request that keeps
        # the limits by itself passes; one that jumps is taken as a place to stop at.
        self._follow(target, rates, smooth=True)
        reference, lead = self._reference, 0.0
        if reference.smooth:
            lead = self._plan(rates).stopping_distance(reference.rate, reference.acceleration)
        return min(max(target + lead, self.dimension.low), self.dimension.high)

    def _follow(self, target: float, rates: Rates, smooth: bool) -> None:
        before = self._reference
        rate = (target - before.value) / self.period
        acceleration = (rate - before.rate) / self.period
        self._reference = _Reference(
            target,
            rate,
            acceleration,
            smooth
            and abs(rate) <= rates.velocity * (1.0 + 1e-9)
            and abs(acceleration) <= rates.acceleration * (1.0 + 1e-9)
            and abs(acceleration - before.acceleration) <= rates.quantum * (1.0 + 1e-6),
        )

    def _towards(self, distance: float, rates: Rates, top: float) -> float:
        """Acceleration after which braking ends `distance` from here, or as near as it can.

        Braking from the present state ends within the range, and so does the aim; the end
        moves only from the one towards the other, so it stays within the range.
        """
        v, plan = self.rate, self._plan(rates)
        low, high = rates.window(self.acceleration)
        low = min(max(low, rates.acceleration_for(-top - v)), high)
        high = max(min(high, rates.acceleration_for(top - v)), low)
        tolerance = max(
            0.1 * rates.grain * self.period**2,
            2.0 * math.ulp(max(abs(self.dimension.low), abs(self.dimension.high))),
        )

        def surplus(acceleration: float) -> float:
            rate = v + acceleration * self.period
            end = rate * self.period + plan.stopping_distance(rate, acceleration)
            return end - distance

        # Most periods go to an end of the window. Where braking from here ends is known from
        # the period before, well enough to tell which end that is.
        gap = self._distance_left(plan) - distance
        if abs(gap) > 1e-3 * rates.quantum * self.period**2:
            end = low if gap > 0.0 else high
            at_end = surplus(end)
            if gap * at_end >= 0.0:
                travelled = (v + end * self.period) * self.period
                self._left = (plan, at_end + distance - travelled)
                return end
        return _solve(surplus, low, plan.brake(v, self.acceleration), high, tolerance)

    def _distance_left(self, plan: Rates) -> float:
        known, self._left = self._left, None
        if known is not None and known[0] is plan:
            return known[1]
        return plan.stopping_distance(self.rate, self.acceleration)

    def _blame(
        self, rate: float, chosen: float, wanted: float, rates: Rates, top: float
    ) -> LimitViolation:
        if abs(wanted) > top and abs(rate) >= top * (1.0 - 1e-9):
            return self._too_fast(wanted, rates, top)
        return self._too_abrupt(chosen, (wanted - self.rate) / self.period, rates)


def make_axis(dimension: Dimension, period: float) -> VelocityAxis | PositionAxis:
    """Build the axis of a dimension's kind."""
    if dimension.kind.is_velocity:
        return VelocityAxis(dimension, period)
    return PositionAxis(dimension, period)


def _rates(limits: Limits, period: float, share: float = 1.0) -> Rates:
    acceleration, quantum = limits.acceleration * share, limits.jerk * period * share
    return Rates(period, limits.velocity, acceleration, quantum)


def _solve(
    function: Callable[[float], float], low: float, start: float, high: float, tolerance: float
) -> float:
    """Zero of a growing function in [low, high], or the end of it that is nearer to one.

    start: a point in it to begin at. Where the zero is not met within the tolerance, the answer
    lies on the side of `start`.
    """
    start = min(max(start, low), high)
    at_start = function(start)
    if abs(at_start) <= tolerance:
        return start
    end = low if at_start > 0.0 else high
    at_end = function(end)
    if at_start * at_end >= 0.0:
        return end
    inner, outer, f_inner, f_outer = start, end, at_start, at_end
    side = 0
    for _ in range(60):
        middle = outer - f_outer * (outer - inner) / (f_outer - f_inner)
        f_middle = function(middle)
        if abs(f_middle) <= tolerance:
            return middle
        if f_middle * at_start > 0.0:
            inner, f_inner = middle, f_middle
            # Illinois: an end that stays twice is halved, or the method would creep.
            f_outer = f_outer * 0.5 if side == 1 else f_outer
            side = 1
        else:
            outer, f_outer = middle, f_middle
            f_inner = f_inner * 0.5 if side == -1 else f_inner
            side = -1
    return inner
