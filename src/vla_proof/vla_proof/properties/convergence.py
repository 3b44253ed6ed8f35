"""How a velocity may be above its bound: the bound fell, and it comes down. Free of ROS.

When a bound falls (speed scale, zone, limit set), acceleration and jerk still hold, so what the
present acceleration commits to cannot be avoided. From then on the acceleration away from the
bound is taken back at full jerk, and once the velocity comes down it does so until it is within
the bound; after that it never leaves it, until the bound falls again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vla_contract.action_space import Dimension, Limits
from vla_proof.properties.checked_bounds import SHARE, Bounds


def peak(rate: float, acceleration: float, step: float, period: float) -> float:
    """Greatest |rate| still to come when the acceleration is taken back by `step` per period."""
    size, growth = abs(rate), acceleration * (1.0 if rate >= 0.0 else -1.0)
    if growth <= step:
        return size
    n = int(growth / step)
    return size + period * (n * growth - 0.5 * step * n * (n + 1))


class VelocityConvergence:
    """One dimension; |v| against the bound in force."""

    def __init__(self, dimension: Dimension, period: float, bounds: Bounds) -> None:
        self._dimension = dimension
        self._period = period
        self._bounds = bounds
        self._step = dimension.normal.jerk * period  # the emergency's is at least as large
        self._rate = self._acceleration = 0.0
        self._bound = math.inf
        self._coming_down = True  # whatever the motion begins with
        self._periods = 0

    def take(
        self, rate: float, acceleration: float, bound: float, limits: Limits, noise: float
    ) -> None:
        """Judge a period; noise: what rounding may add to a rate."""
        d = self._dimension
        committed = peak(self._rate, self._acceleration, self._step, self._period)
        if bound < self._bound and committed > bound * (1.0 - SHARE) - noise:
            self._coming_down, self._periods = True, 0
        if not self._coming_down:
            self._bounds.check("velocity", d.name, rate, bound, noise)
        elif abs(rate) > bound * (1.0 + SHARE) + noise:
            self._check(rate, acceleration, noise)
        left = peak(rate, acceleration, self._step, self._period)
        if left <= bound * (1.0 + SHARE) + noise:
            self._coming_down = False
        self._rate, self._acceleration, self._bound = rate, acceleration, bound

    def _check(self, rate: float, acceleration: float, noise: float) -> None:
        sign = 1.0 if rate >= 0.0 else -1.0
        outward, before = sign * acceleration, sign * self._acceleration
        most = max(0.0, before - self._step * (1.0 - 1e-6)) + 4.0 * noise / self._period
        self._periods += 1
        name = self._dimension.name
        if outward > most:
            self._bounds.fail("convergence", name, outward, most)
        elif self._periods * self._period > self._longest(rate):
            self._bounds.fail("time to converge", name, self._periods * self._period, 0.0)

    def _longest(self, rate: float) -> float:
        # Take the acceleration back, build the deceleration up, use it, take it back.
        d, slow = self._dimension, self._dimension.normal
        fast = max(abs(rate), d.emergency.velocity, slow.velocity)
        most = max(d.emergency.acceleration, d.emergency.deceleration)
        ramps = (most + 2.0 * slow.deceleration) / slow.jerk
        return 2.0 * (ramps + fast / slow.deceleration) + 10.0 * self._period


class NormConvergence:
    """The norm of several velocities against the bound in force.

    While it comes down, what counts is the norm of the peaks that the accelerations already commit
    to: one dimension may still rise while another falls. It must never grow.
    """

    def __init__(self, dimensions: Sequence[Dimension], period: float, bounds: Bounds) -> None:
        self._dimensions = dimensions
        self._period = period
        self._bounds = bounds
        self._bound = math.inf
        self._committed = math.inf  # before the last period
        self._coming_down = True
        self._norm = math.inf

    def free(self) -> None:
        """There is no bound in this period."""
        self._bound = self._norm = self._committed = math.inf

    def take(
        self, rates: Sequence[float], before: Sequence[tuple[float, float]], bound: float
    ) -> None:
        """Judge a period; before: (rate, acceleration) of each dimension in the last one."""
        norm = math.sqrt(sum(rate * rate for rate in rates))
        committed, noise = self._peaks(before), 1e-12
        if bound < self._bound and committed > bound * (1.0 - SHARE) - noise:
            self._coming_down, self._committed = True, math.inf
        if not self._coming_down:
            self._bounds.check("norm", "norm", norm, bound, noise)
        elif norm > bound * (1.0 + SHARE) + noise:
            most = min(committed, self._committed) * (1.0 + 1e-6) + noise
            if max(norm, committed) > most:
                self._bounds.fail("norm's convergence", "norm", max(norm, committed), most)
            self._committed = committed
        elif norm <= self._norm or committed <= bound:
            self._coming_down = False
        self._norm, self._bound = norm, bound

    def _peaks(self, before: Sequence[tuple[float, float]]) -> float:
        peaks = [
            peak(rate, acceleration, dimension.normal.jerk * self._period, self._period)
            for dimension, (rate, acceleration) in zip(self._dimensions, before, strict=True)
        ]
        return math.sqrt(sum(value * value for value in peaks))
