"""What one dimension of the motion is, limited in discrete time. Free of ROS.

An axis keeps the value that it published last and that value's differences. It takes a request
and gives the next value, which keeps every limit of the set in force. The state is
always *viable*: braking from it keeps every limit too. That is why a limit never has to be
broken later, whatever is requested next.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from vla_contract.action_space import Dimension, Limits
from vla_contract.message_enums import Limit
from vla_safety.limits.braking import Rates


class LimitViolation(NamedTuple):
    """One limit that a request would have broken; `value` and `bound` in the limit's unit.

    name: what it is about where the dimension does not tell (a norm, a zone, a source).
    """

    limit: Limit
    dimension: str
    value: float
    bound: float
    name: str = ""


class Axis:
    """What velocity and position dimensions have in common.

    value: last published, SI. rate, acceleration: its first and second derivative as far as the
    dimension's limits count them (for a velocity kind, `rate` is the value itself).
    """

    def __init__(self, dimension: Dimension, period: float) -> None:
        self.dimension = dimension
        self.period = period
        self.normal = make_rates(dimension.normal, period)
        self.emergency = make_rates(dimension.emergency, period)
        self.reset(None)

    def reset(self, value: float | None) -> None:
        """Start at this value (None or not finite: 0), clipped into the range, with no past."""
        start = 0.0 if value is None or not math.isfinite(value) else value
        self.value = min(max(start, self.dimension.low), self.dimension.high)
        self.rate = 0.0
        self.acceleration = 0.0
        # True while the emergency set is in force: from an emergency until the normal set can
        # be kept again.
        self.in_emergency = False
        self.rates = self.normal

    def admit(
        self,
        request: float | None,
        emergency: bool,
        scale: float,
        violations: list[LimitViolation],
    ) -> float | None:
        """Decide which set is in force (`rates`); returns the request, None if it must brake.

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
                if request is not None:
                    bound = math.copysign(self.dimension.normal.deceleration, self.acceleration)
                    found = self._violation(Limit.DECELERATION, self.acceleration, bound)
                    violations.append(found)
                request = None
        self.rates = self.emergency if self.in_emergency else self.normal
        return request

    def enter_emergency(self) -> None:
        """Put the emergency set in force, until the normal one can be kept again."""
        self.in_emergency = True
        self.rates = self.emergency

    def hold_target(self, emergency: bool = False) -> float:
        """Value at which the axis comes to rest soonest."""
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
        limit, bound = self._change_limit(chosen, rates)
        at_bound = abs(chosen) >= bound * (1.0 - 1e-12)
        if at_bound and abs(wanted) > abs(chosen) and wanted * chosen > 0.0:
            return self._violation(limit, wanted, math.copysign(bound, wanted))
        # Either the acceleration cannot change that fast now, or it could not be taken back in
        # the next period.
        change = wanted - self.acceleration
        jerk = (change if abs(change) >= abs(wanted) else -wanted) / self.period
        if not rates.symmetric and abs(jerk) * self.period <= rates.quantum:
            # It has to ease off already, to be within both bounds when the sign changes.
            limit = self._lesser_limit(rates)
            return self._violation(limit, wanted, math.copysign(rates.reversal, wanted))
        return self._violation(Limit.JERK, jerk, math.copysign(rates.quantum / self.period, jerk))

    def _change_limit(self, chosen: float, rates: Rates) -> tuple[Limit, float]:
        """Which limit bounds a period with this acceleration, and to what."""
        rate = self.rate + chosen * self.period
        if rate * self.rate < 0.0:
            return self._lesser_limit(rates), rates.reversal
        if abs(rate) < abs(self.rate):
            return Limit.DECELERATION, rates.deceleration
        return Limit.ACCELERATION, rates.acceleration

    def _lesser_limit(self, rates: Rates) -> Limit:
        less = rates.deceleration < rates.acceleration
        return Limit.DECELERATION if less else Limit.ACCELERATION


def make_rates(limits: Limits, period: float, share: float = 1.0) -> Rates:
    """The limits at a control period; share: of all but the velocity."""
    return Rates(
        period,
        limits.velocity,
        limits.acceleration * share,
        limits.jerk * period * share,
        limits.deceleration * share,
    )
