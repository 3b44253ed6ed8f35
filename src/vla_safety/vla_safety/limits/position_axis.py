"""A dimension whose value is a position or an effort. Free of ROS."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from vla_contract.action_space import Dimension
from vla_safety.limits.axes import Axis, LimitViolation, make_rates
from vla_safety.limits.braking import Rates
from vla_safety.limits.root_finding import illinois

_PLANNED_SHARE = 1.0 - 1e-6


class _Reference(NamedTuple):
    """The last request of a position, its differences, and whether they keep the limits."""

    value: float
    rate: float
    acceleration: float
    smooth: bool


class PositionState(NamedTuple):
    """All that a position axis remembers of its motion."""

    value: float
    rate: float
    acceleration: float
    in_emergency: bool
    rates: Rates
    reference: _Reference
    left: tuple[Rates, float] | None


class PositionAxis(Axis):
    """A dimension whose value is a position or an effort: at rest when it no longer changes."""

    def __init__(self, dimension: Dimension, period: float) -> None:
        # Braking is planned with a little less than the limits: rounding errors, which add up
        # over a long brake, can then be made good within them.
        self._normal_plan = make_rates(dimension.normal, period, _PLANNED_SHARE)
        self._emergency_plan = make_rates(dimension.emergency, period, _PLANNED_SHARE)
        super().__init__(dimension, period)

    def _plan(self, rates: Rates) -> Rates:
        return self._normal_plan if rates is self.normal else self._emergency_plan

    def reset(self, value: float | None) -> None:
        """Start at rest at this value."""
        super().reset(value)
        self._reference = _Reference(self.value, 0.0, 0.0, True)
        # Limit set and displacement until rest from the present state, where it is known.
        self._left: tuple[Rates, float] | None = None

    @property
    def state(self) -> PositionState:
        """What `restore` goes back to."""
        return PositionState(
            self.value, self.rate, self.acceleration, self.in_emergency, self.rates,
            self._reference, self._left,
        )  # fmt: skip

    def restore(self, state: PositionState) -> None:
        """Go back to a state of before."""
        self.value, self.rate, self.acceleration = state.value, state.rate, state.acceleration
        self.in_emergency, self.rates = state.in_emergency, state.rates
        self._reference, self._left = state.reference, state.left

    def shift(self, way: float) -> None:
        """Count positions from another origin: this much is added to each that is remembered."""
        self.value += way
        self._reference = self._reference._replace(value=self._reference.value + way)

    @property
    def reference(self) -> float:
        """The last request, or the value where there was none."""
        return self._reference.value

    def braking_path(self) -> list[float]:
        """The values of the periods until rest, were it to brake with the emergency set now.

        Those that `advance(None, True, ...)` would give one after the other.
        """
        before, path = self.state, []
        hard = self.in_emergency
        while True:
            hard = hard or self._may_enter_emergency()
            plan = self._emergency_plan if hard else self._normal_plan
            if self.rate == 0.0 and plan.drift(self.acceleration) == 0.0:
                break
            self.acceleration = plan.brake(self.rate, self.acceleration)
            self.rate += self.acceleration * self.period
            if abs(self.rate) <= plan.grain_rate:
                self.rate = 0.0
            self.value += self.rate * self.period
            path.append(self.value)
        self.restore(before)
        return path

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
        if not rates.viable(self.rate, self.acceleration):
            return False
        if not (rates.symmetric or self._plan(rates).viable(self.rate, self.acceleration)):
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

    def advance(
        self,
        request: float | None,
        emergency: bool,
        scale: float,
        violations: list[LimitViolation],
    ) -> float:
        """Move by one period; returns the new value. Arguments as those of `admit`."""
        request = self.admit(request, emergency, scale, violations)
        self._step(request, self.rates, self.rates.velocity * scale, violations)
        return self.value

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
            and abs(acceleration) <= rates.bound(before.rate, rate) * (1.0 + 1e-9)
            and abs(acceleration - before.acceleration) <= rates.quantum * (1.0 + 1e-6),
        )

    def _towards(self, distance: float, rates: Rates, top: float) -> float:
        """Acceleration after which braking ends `distance` from here, or as near as it can.

        Braking from the present state ends within the range, and so does the aim; the end
        moves only from the one towards the other, so it stays within the range.
        """
        v, plan = self.rate, self._plan(rates)
        brake = plan.acceleration_for(-v)
        low, high = rates.window(self.acceleration, v, brake)
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
    return illinois(function, start, end, at_start, at_end, tolerance)
