"""How fast the robot goes along its plan: one scalar s, 0 to 1, for the whole motion. Free of ROS.

A limit that slows each dimension by itself bends the path that the policy planned; the same share
of all of them only takes more time. Of what slows the robot down, *factors* (obstacles, people,
fading in, a hold) are shares that s follows with a bounded rate, and with a bounded change of that
rate, so that no dimension's acceleration or jerk is exceeded by the slowing alone. *Ceilings*
(velocity limits, `speed_scale`, speed zones, a tool's speed) are the greatest s for which a speed
keeps its bound. s is never above them: where the planned speed grows beyond a bound, s v stays at
the bound, and is no jump.

The limiter behind it keeps every limit of every dimension, whatever s is. Time-scaled trajectories
are what `scaled_joint_trajectory_controller` of Universal Robots does with its speed slider.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace, Kind
from vla_safety.limits.axes import Limit, LimitViolation
from vla_safety.limits.braking import Rates
from vla_safety.limits.norms import SpeedCap, norms_of

# A ceiling is kept with this much room, so that rounding alone is no violation.
_ROOM = 1.0 - 1e-12

# Of a dimension's acceleration: the rest is for what the plan itself does meanwhile.
_SPEEDING_UP = 0.5


@dataclass(frozen=True)
class Factor:
    """A share of the planned speed that something allows, and what it is in words.

    violation: what `SafeAction` says of it, where that is not said elsewhere.
    """

    name: str
    value: float
    violation: LimitViolation | None = None


FREE = Factor("", 1.0)


class PathSpeed:
    """s from period to period.

    value: s. rate: its change, 1/s. factor: what decides it; FREE where nothing slows.
    """

    def __init__(self, space: ActionSpace) -> None:
        self._space = space
        self._period = space.period
        self.restart()

    def restart(self, value: float = 1.0) -> None:
        """Another motion begins, with this s."""
        self.value, self.rate = value, 0.0
        self.factor = FREE

    def advance(
        self,
        rates: Sequence[float],
        factors: Iterable[Factor] = (),
        ceilings: Iterable[Factor] = (),
    ) -> float:
        """Return s of the next period.

        rates: planned speed of each dimension, in its unit per s, shape (width,).
        factors, ceilings: see the module. What is not a number counts as 0.
        """
        factor = _least(factors)
        before = self.value
        self._follow(factor.value, rates)
        ceiling = _least(ceilings)
        if self.value > ceiling.value:
            self.value, self.rate = ceiling.value, min(0.0, self.rate)
            factor = ceiling
        elif self.value == 1.0:
            factor = FREE
        elif factor.value >= 1.0:
            # Free again, and on its way.
            factor = Factor(self.factor.name or "speeding up", 1.0) if before < 1.0 else FREE
        self.factor = factor
        return self.value

    def _follow(self, target: float, rates: Sequence[float]) -> None:
        if self.value == target and self.rate == 0.0:
            return
        bounds = self.bounds(rates)
        most = bounds.acceleration if self.rate > 0.0 else bounds.deceleration
        rate = min(max(self.rate, -most), most)
        rate = bounds.towards(self.value, rate, target)
        value = self.value + rate * self._period
        low, high = min(target, self.value), max(target, self.value)
        if not low < value < high and abs(value - target) <= 1e-9:
            value, rate = target, 0.0
        elif not 0.0 < value < 1.0:
            value, rate = min(max(value, 0.0), 1.0), 0.0
        self.value, self.rate = value, rate

    def bounds(self, rates: Sequence[float]) -> Rates:
        """Greatest rate of s (1/s), and change of it, at these planned speeds.

        The change of a speed s v is v times the rate of s: the dimension that can change its speed
        least decides. In one period s can go from 0 to 1 where nothing moves.
        """
        up = down = 1.0 / self._period
        change = up / self._period
        for dimension, rate in zip(self._space.dimensions, rates, strict=True):
            speed = abs(rate)
            if not 0.0 < speed < math.inf:
                continue
            limits = dimension.normal
            up = min(up, _SPEEDING_UP * limits.acceleration / speed)
            down = min(down, limits.deceleration / speed)
            change = min(change, limits.jerk / speed)
        return Rates(self._period, 1.0, up, change * self._period, down)


def velocity_ceilings(
    space: ActionSpace, rates: Sequence[float], speed_scale: float, cap: SpeedCap | None = None
) -> list[Factor]:
    """The greatest s for which each dimension, norm and the cap keep their velocity limits.

    Only those below 1. Grippers are left out: they close and open in jumps, which lead nowhere.
    """
    found = []
    for dimension, rate in zip(space.dimensions, rates, strict=True):
        top, speed = dimension.normal.velocity * speed_scale, abs(rate)
        if dimension.kind is Kind.GRIPPER or not top < speed < math.inf:
            continue
        # The scale is to blame only where the full limit would have let it pass.
        limit = Limit.SPEED_SCALE if speed <= dimension.normal.velocity else Limit.VELOCITY
        violation = LimitViolation(limit, dimension.name, rate, math.copysign(top, rate))
        found.append(_ceiling(violation, f"{limit.words} of {dimension.name}"))
    for norm in norms_of(space):
        speed = math.hypot(*(rates[i] for i in norm.indices))
        full = norm.maximum
        limit = Limit.SPEED_SCALE if speed <= full else Limit.NORM
        bounds = [(full * speed_scale if full < math.inf else full, limit, norm.name)]
        if cap is not None and norm.name == "linear":
            bounds.append((max(0.0, cap.value), cap.limit, cap.name))
        for top, limit, name in bounds:
            if not speed <= top and speed < math.inf:
                violation = LimitViolation(limit, "", speed, top, name)
                found.append(_ceiling(violation, f"{limit.words} {name}"))
    return found


def _ceiling(violation: LimitViolation, name: str) -> Factor:
    share = abs(violation.bound) / abs(violation.value)
    return Factor(name, share * _ROOM if share > 0.0 else 0.0, violation)


def _least(factors: Iterable[Factor]) -> Factor:
    least = FREE
    for factor in factors:
        value = min(1.0, factor.value) if factor.value > 0.0 else 0.0  # NaN: 0
        if value < least.value:
            least = Factor(factor.name, value, factor.violation)
    return least
