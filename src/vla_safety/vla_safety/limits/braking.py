"""Discrete-time kinematics of coming to rest within an acceleration and a jerk limit.

Time goes in periods of T seconds. In each period one acceleration a_k is chosen, the rate
follows as v_k = v_{k-1} + a_k T and, for a position, x_k = x_{k-1} + v_k T. The acceleration may
change by at most q = jerk * T per period. Where |v| grows it stays within A, where |v| falls
within D, where v changes its sign within both. So finite differences of published values are
these very quantities, and bounds on them hold exactly, not up to a sampling error.

A state is viable where the motion can go on for ever within these bounds. With D = A that is
all that keep them. Else one that slows down is viable if it can come to rest without a change
of sign, or if its acceleration may be kept through one: |a| <= min(A, D).

Everything here is a closed form: no loop over the periods of a brake.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

_GRAIN = 1e-10


@dataclass(frozen=True)
class Rates:
    """One limit set at one period. SI units of the dimension.

    period: T, s. acceleration: A. quantum: q, the greatest change of acceleration per period.
    velocity: greatest rate of change of the value for a position, of the value for a velocity.
    deceleration: D; NaN stands for A.
    """

    period: float
    velocity: float
    acceleration: float
    quantum: float
    deceleration: float = math.nan
    # Within both bounds: for a period in which the rate changes its sign.
    reversal: float = field(init=False)
    symmetric: bool = field(init=False)
    # Rate from which a ramp that begins with D leads to 0.
    landing: float = field(init=False)
    # Acceleration by which a command may be off without any limit showing it: what a value may
    # be moved by, in one period, to meet its target exactly.
    grain: float = field(init=False)
    # The same of a rate.
    grain_rate: float = field(init=False)
    # Way that a change of the acceleration by q makes in its period.
    step_way: float = field(init=False)
    _spread: float = field(init=False, repr=False)
    # Half of the time from no deceleration to D.
    _ramp: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if math.isnan(self.deceleration):
            object.__setattr__(self, "deceleration", self.acceleration)
        object.__setattr__(self, "reversal", min(self.acceleration, self.deceleration))
        object.__setattr__(self, "symmetric", self.acceleration == self.deceleration)
        object.__setattr__(self, "_spread", self.quantum * self.period)
        object.__setattr__(self, "step_way", self._spread * self.period)
        ramp = self.deceleration / self.quantum * self.period
        object.__setattr__(self, "_ramp", 0.5 * ramp)
        least = min(self.quantum, self.reversal, self.velocity / self.period)
        object.__setattr__(self, "grain", _GRAIN * least)
        object.__setattr__(self, "grain_rate", self.grain * self.period)
        object.__setattr__(self, "landing", self.gain(self.deceleration))

    def gain(self, acceleration: float) -> float:
        """Rate gained from a period with this acceleration (>= 0) on, ramped down to 0 at once."""
        n = int(acceleration / self.quantum)
        return self.period * ((n + 1) * acceleration - 0.5 * self.quantum * n * (n + 1))

    def acceleration_for(self, change: float) -> float:
        """Inverse of `gain`, odd: the acceleration now that changes the rate by `change` in all.

        It is the greatest that does not overshoot, and the change itself over T where that can
        be reached in one period. Not limited to A or to the present acceleration plus q.
        """
        size = abs(change)
        q = self.quantum
        n = int(0.5 * (math.sqrt(1.0 + 8.0 * size / self._spread) - 1.0))
        found = (size / self.period + 0.5 * q * n * (n + 1)) / (n + 1)
        return found if change >= 0.0 else -found

    def window(
        self, acceleration: float, rate: float, stop: float | None = None
    ) -> tuple[float, float]:
        """Accelerations after which the state is viable, from a viable one.

        stop: the one that would bring the rate to 0 without overshoot, where braking is planned
        with other rates than these.
        """
        below = above = self.acceleration
        if not self.symmetric and rate != 0.0:
            falling = self.reversal
            if falling < self.deceleration:
                size = abs(self.acceleration_for(rate) if stop is None else stop)
                falling = max(falling, min(size, self.deceleration))
            if rate > 0.0:
                below = falling
            else:
                above = falling
        low = max(acceleration - self.quantum, -below)
        high = min(acceleration + self.quantum, above)
        return min(low, above), max(high, -below)

    def viable(self, rate: float, acceleration: float) -> bool:
        """Whether the motion can go on from here within the bounds of acceleration and jerk."""
        size = abs(acceleration)
        if self.symmetric or size <= self.reversal:
            return size <= self.acceleration
        if rate * acceleration >= 0.0:
            return size <= self.acceleration
        return size <= self.deceleration and (rate + self.drift(acceleration)) * rate >= 0.0

    def bound(self, before: float, after: float) -> float:
        """Greatest acceleration of a period that takes the rate from `before` to `after`."""
        if before * after < 0.0:
            return self.reversal
        return self.acceleration if abs(after) >= abs(before) else self.deceleration

    def towards(self, rate: float, acceleration: float, aim: float) -> float:
        """Acceleration of the next period that brings the rate to `aim` soonest, not beyond.

        `acceleration_for` within the `window`, in one piece: most of a period's time goes here.
        """
        q, change = self.quantum, aim - rate
        size = change if change >= 0.0 else -change
        n = int(0.5 * (math.sqrt(1.0 + 8.0 * size / self._spread) - 1.0))
        wanted = (size / self.period + 0.5 * q * n * (n + 1)) / (n + 1)
        if change < 0.0:
            wanted = -wanted
        if wanted < acceleration - q:
            wanted = acceleration - q
        elif wanted > acceleration + q:
            wanted = acceleration + q
        top = self.acceleration
        if wanted * rate < 0.0 and not self.symmetric:
            top = self._falling(rate, wanted)
        return -top if wanted < -top else top if wanted > top else wanted

    def _falling(self, rate: float, wanted: float) -> float:
        """Greatest deceleration that leaves a viable state, as far as `wanted` asks for it."""
        top = self.reversal
        if self.deceleration == top or -top <= wanted <= top:
            return top
        return max(top, min(abs(self.acceleration_for(rate)), self.deceleration))

    def brake(self, rate: float, acceleration: float) -> float:
        """Acceleration of the next period that brings the rate to 0 soonest, without overshoot."""
        return self.towards(rate, acceleration, 0.0)

    def peak(self, rate: float, acceleration: float) -> float:
        """Greatest speed that cannot be avoided any more from a state."""
        speed = rate if rate >= 0.0 else -rate
        if -self.quantum <= acceleration <= self.quantum:
            return speed
        return max(speed, abs(rate + self.drift(acceleration)))

    def reach_at_most(self, rate: float, acceleration: float) -> float:
        """A bound, quick to have, of how far a period at this rate and braking after it lead.

        At no more than the peak speed until the acceleration is taken back, then half of what
        the peak would cover in the time that it takes to stop; and four periods, for the steps.
        """
        peak, periods = self.peak(rate, acceleration), 4.0
        if rate * acceleration >= 0.0 or peak != abs(rate):
            periods += abs(acceleration) / self.quantum
        return peak * (self._ramp + 0.5 * peak / self.deceleration + periods * self.period)

    def drift(self, acceleration: float) -> float:
        """Further change of rate that cannot be avoided after a period with `acceleration`."""
        surplus = abs(acceleration) - self.quantum
        if surplus <= 0.0:
            return 0.0
        return math.copysign(self.gain(surplus), acceleration)

    def stopping_distance(self, rate: float, acceleration: float) -> float:
        """Displacement until rest when `brake` is followed from this state (signed).

        It grows with `acceleration` and with `rate`, which is what makes choosing an
        acceleration by where the motion would end a one-dimensional search.
        """
        if rate == 0.0 and acceleration == 0.0:
            return 0.0
        if rate + self.drift(acceleration) < 0.0:
            return -self._stop_forward(-rate, -acceleration)
        return self._stop_forward(rate, acceleration)

    def _stop_forward(self, v: float, a: float) -> float:
        # The rate that is left once the acceleration has come down to 0 is positive: first the
        # acceleration falls by q in each of k periods, then it stays at -D for m periods, and
        # then it rises by q per period so that rate and acceleration reach 0 together.
        t, q, top = self.period, self.quantum, self.deceleration
        k = self._falling_periods(v, a)
        x = t * (k * v + t * (0.5 * a * k * (k + 1) - q * k * (k + 1) * (k + 2) / 6.0))
        v += t * (k * a - 0.5 * q * k * (k + 1))
        if v > self.landing:
            m = math.ceil((v - self.landing) / (top * t))
            x += t * (m * v - 0.5 * top * t * m * (m + 1))
            v -= m * top * t
        if v > 0.0:
            n = int(0.5 * (math.sqrt(1.0 + 8.0 * v / (q * t)) - 1.0))
            first = (v / t + 0.5 * q * n * (n + 1)) / (n + 1)
            x += t * (n * v - t * (0.5 * first * n * (n + 1) - q * (n - 1) * n * (n + 1) / 6.0))
        return x

    def _falling_periods(self, v: float, a: float) -> int:
        # With `gain` taken as a parabola the count is a square root; it is exact at whole
        # multiples of q, so the true condition is met there or one beside.
        t, q, top = self.period, self.quantum, self.deceleration
        square = q * (v / t - 0.5 * a) + 0.5 * a * a
        peak = min(top, math.sqrt(square)) if square > 0.0 else 0.0
        k = max(0, int((a + peak) / q))
        while k > 0 and not self._falls(k, v, a):
            k -= 1
        while self._falls(k + 1, v, a):
            k += 1
        return k

    def _falls(self, k: int, v: float, a: float) -> bool:
        # In the k-th period the acceleration can fall by q once more: the deceleration that
        # this gives can still be taken back before the rate reaches 0.
        t, q = self.period, self.quantum
        deceleration = k * q - a
        if deceleration <= 0.0:
            return True
        if deceleration > self.deceleration:
            return False
        n = int(deceleration / q)
        gain = (n + 1) * deceleration - 0.5 * q * n * (n + 1)
        return t * gain <= v + t * ((k - 1) * a - 0.5 * q * k * (k - 1))
