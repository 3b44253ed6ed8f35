"""A dimension whose value is a velocity. Free of ROS."""

from __future__ import annotations

import math

from vla_safety.limits.axes import Axis, LimitViolation
from vla_safety.limits.braking import Rates

# For differences of floats that should be at a bound.
_NEARLY = 1.0 + 1e-9


class VelocityAxis(Axis):
    """A dimension whose value is a velocity: at rest at 0, stops by going there.

    A period is decided in steps, so that several axes can share what they may do together:
    `begin`, `aim` (unless the group decides), `choose`, `take` where less than that is to be
    done, and `finish`. Between them: target, what may be reached; chosen, next: the acceleration
    and the velocity of this period; asked: a request is followed; overruled: something else than
    this axis's own limits keeps it from its target.
    """

    # True while a norm with other axes is in force.
    shared = False

    def reset(self, value: float | None) -> None:
        """Start at this velocity with no acceleration."""
        super().reset(value)
        self.rate = self.value
        self._reference = self.value
        self._slope = 0.0
        # Of the period that is being decided.
        self._scale, self._scaled = math.nan, self.normal
        self._low = self._high = self._top = self.target = self.chosen = self.next = 0.0
        self.asked = self.overruled = False

    def hold_target(self, emergency: bool = False) -> float:
        """0."""
        return 0.0

    @property
    def at_rest(self) -> bool:
        """The last command was 0."""
        return self.value == 0.0

    def _viable(self, rates: Rates, top: float) -> bool:
        if not rates.viable(self.value, self.acceleration):
            return False
        peak = self.value + rates.drift(self.acceleration)
        if not max(self.dimension.low, -top) <= peak <= min(self.dimension.high, top):
            return False
        # A norm leaves no room for a higher peak than that of the set in force.
        return not self.shared or abs(peak) <= self.rates.peak(self.value, self.acceleration)

    def begin(
        self,
        request: float | None,
        emergency: bool,
        scale: float,
        violations: list[LimitViolation],
    ) -> None:
        """Start a period; arguments as those of `admit`. Sets `target`, what may be reached."""
        if emergency or self.in_emergency or request is None or not math.isfinite(request):
            request = self.admit(request, emergency, scale, violations)
        rates = self.rates
        if scale != self._scale or rates is not self._scaled:
            self._scale, self._scaled = scale, rates
            self._top = top = rates.velocity * scale
            self._low, self._high = max(self.dimension.low, -top), min(self.dimension.high, top)
        self.overruled = False
        if request is None:
            self.asked, self.target = False, 0.0
            return
        self.asked, self.target = True, request
        if not self._low <= request <= self._high:
            self.target = self._clip(request, violations)
            if abs(self.target) > self._top:
                violations.append(self._too_fast(self.target, rates, self._top))
                self.target = math.copysign(self._top, self.target)

    def aim(self) -> float:
        """Velocity to level off at, to follow the target; once in each period.

        The one at which the request would level off, were its acceleration taken back at once,
        lets a request pass that keeps the limits by itself.
        """
        target, before, rates = self.target, self._reference, self.rates
        slope = (target - before) / self.period
        change = slope - self._slope
        self._reference, self._slope = target, slope
        near = rates.quantum * _NEARLY
        if self.asked and -near <= change <= near:
            bound = rates.acceleration if rates.symmetric else rates.bound(before, target)
            if abs(slope) <= bound * _NEARLY:
                target += rates.drift(slope)
        low, high = self._low, self._high
        return low if target < low else high if target > high else target

    def choose(self, aim: float) -> None:
        """Set `chosen`, the acceleration of this period, and `next`, its velocity."""
        self.apply(self.rates.towards(self.value, self.acceleration, aim))

    def apply(self, acceleration: float) -> None:
        """Choose an acceleration, one that `choose` or the brake allows, or between the two."""
        rates, dimension, target = self.rates, self.dimension, self.target
        value = self.value + acceleration * self.period
        if value < dimension.low:
            value = dimension.low
        elif value > dimension.high:
            value = dimension.high
        grain = rates.grain_rate
        if -grain <= value - target <= grain:
            # A sign that changes by rounding alone would be a change of sign all the same.
            turned = not rates.symmetric and target * self.value < 0.0 and -grain <= value <= grain
            value = 0.0 if turned else target
        elif not rates.symmetric and -grain <= value <= grain:
            value = 0.0
        self.chosen, self.next = acceleration, value

    def finish(self, violations: list[LimitViolation]) -> float:
        """Move by the period; returns the new velocity."""
        v, t = self.value, self.period
        if self.asked and not self.overruled and self.next != self.target:
            violations.append(self._too_abrupt(self.chosen, (self.target - v) / t, self.rates))
        self.acceleration = (self.next - v) / t
        self.value = self.rate = self.next
        return self.value

    def brake(self) -> float:
        """Acceleration that brings it to rest soonest."""
        return self.rates.brake(self.value, self.acceleration)

    def reach(self, acceleration: float) -> tuple[float, float]:
        """Furthest displacements until rest, backwards (<= 0) and forwards, braking after this.

        Of this period, with the acceleration, and all after it.
        """
        rates, t = self.rates, self.period
        v = self.value + acceleration * t
        x = v * t
        if acceleration * v < 0.0 and v * (v + rates.drift(acceleration)) < 0.0:
            return self._reach_turning(v, acceleration)
        x += rates.stopping_distance(v, acceleration)
        return (x, 0.0) if x < 0.0 else (0.0, x)

    def _reach_turning(self, v: float, a: float) -> tuple[float, float]:
        # On the way to rest it turns back; how far it comes until then counts too.
        rates, t, forward = self.rates, self.period, v > 0.0
        turn = v * t
        end = turn + rates.stopping_distance(v, a)
        while True:
            a = rates.brake(v, a)
            v += a * t
            if (v > 0.0) != forward or v == 0.0:
                return min(turn, end, 0.0), max(turn, end, 0.0)
            turn += v * t
