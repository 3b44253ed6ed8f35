"""Combined limits of several velocities: of the root of the sum of their squares. Free of ROS.

What is kept below the bound is not the velocities but the peaks that they cannot avoid any more:
each is at least the speed, grows only by a decision, and never by braking. So the bound holds in
every period, whatever the axes' own limits, and in the periods after it too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace
from vla_safety.axes import Limit, LimitViolation
from vla_safety.velocity_axis import VelocityAxis

# Of the squared bound: what rounding may take from it must not keep a target from being met.
_ROUNDING = 1.0 + 1e-12


@dataclass(frozen=True)
class Norm:
    """Greatest norm of the velocities at `indices`, m/s or rad/s; name: "linear" or "angular"."""

    name: str
    indices: tuple[int, ...]
    maximum: float


@dataclass(frozen=True)
class SpeedCap:
    """Greatest norm of the linear velocities for now, m/s, and what a violation says of it.

    Negative or not a number: 0.
    """

    value: float
    limit: Limit
    name: str


def norms_of(space: ActionSpace) -> tuple[Norm, ...]:
    """The norms of an action space; without a bound (inf) where its file gives none."""
    pairs = (
        ("linear", space.linear_indices, space.norms.linear_velocity),
        ("angular", space.angular_indices, space.norms.angular_velocity),
    )
    return tuple(
        Norm(name, indices, math.inf if maximum is None else maximum)
        for name, indices, maximum in pairs
        if indices
    )


class NormGroup:
    """The axes of one norm."""

    def __init__(self, norm: Norm, axes: Sequence[VelocityAxis]) -> None:
        """axes: those at the norm's indices."""
        self.norm = norm
        self._axes = tuple(axes)
        self._bounded = False

    def bound(self, scale: float, cap: SpeedCap | None) -> SpeedCap:
        """The strictest bound for now, and its name."""
        norm = self.norm
        limit = Limit.NORM if scale == 1.0 else Limit.SPEED_SCALE
        maximum = norm.maximum * scale if norm.maximum < math.inf else math.inf
        strictest = SpeedCap(maximum, limit, norm.name)
        if cap is None or cap.value >= strictest.value:
            return strictest
        return cap if cap.value >= 0.0 else SpeedCap(0.0, cap.limit, cap.name)

    def share(
        self,
        scale: float,
        cap: SpeedCap | None,
        aside: bool,
        violations: list[LimitViolation],
    ) -> None:
        """Choose the acceleration of every axis, after their `begin`.

        scale: of the norm. cap: a further bound. aside: boundaries may make an axis brake that
        would not; room is left for that.
        """
        strictest = self.bound(scale, cap)
        bound = strictest.value
        bounded = bound < math.inf
        if bounded is not self._bounded:
            self._bounded = bounded
            for axis in self._axes:
                axis.shared = bounded
        if not bounded:
            for axis in self._axes:
                axis.choose(axis.aim())
            return
        asked = self._scale_targets(bound)
        wanted, within = self._distribute(bound, aside)
        if asked > bound * _ROUNDING:
            violations.append(self._violation(strictest, asked))
        elif not within:
            violations.append(self._violation(strictest, wanted))

    def _violation(self, strictest: SpeedCap, worst: float) -> LimitViolation:
        limit = strictest.limit
        if limit is Limit.SPEED_SCALE and worst > self.norm.maximum * _ROUNDING:
            # The scale is to blame only where the full limit would have let the request pass.
            limit = Limit.NORM
        return LimitViolation(limit, "", worst, strictest.value, strictest.name)

    def _scale_targets(self, bound: float) -> float:
        """Scale what is asked for into the bound, in its direction; returns its norm before."""
        square = 0.0
        for axis in self._axes:
            square += axis.target * axis.target
        if square <= bound * bound:
            return bound
        asked = math.sqrt(square)
        for axis in self._axes:
            axis.target *= bound / asked
        return asked

    def _distribute(self, bound: float, aside: bool) -> tuple[float, bool]:
        """Let speeds that fall go first, and those that grow share what is left.

        Returns the norm that the axes would reach by themselves, and whether nothing was taken
        from them.
        """
        plans = [
            (axis, axis.aim(), axis.peak(axis.value, axis.acceleration)) for axis in self._axes
        ]
        square = aimed = 0.0
        for _, aim, peak in plans:
            aimed += aim * aim
            square += max(peak * peak, aim * aim)
        room = bound * bound * _ROUNDING
        if square <= room:
            for axis, aim, _ in plans:
                axis.choose(aim)
            return bound, True
        # Targets are within the bound; what leads ahead of them may not be.
        factor = bound / math.sqrt(aimed) if aimed > room else 1.0
        growing = []
        held = more = 0.0
        for axis, full, peak in plans:
            aim = full * factor
            if abs(aim) > peak:
                growing.append((axis, full, aim, peak))
                held += peak * peak
                more += aim * aim - peak * peak
                continue
            room -= self._fall(axis, full, aim, aside)
        share = 1.0 if more <= room - held or not growing else max(0.0, (room - held) / more)
        within = factor == 1.0
        for axis, full, aim, peak in growing:
            if share < 1.0:
                aim = math.copysign(math.sqrt(peak * peak + share * (aim * aim - peak * peak)), aim)
            within = self._choose(axis, full, aim) and within
        return math.sqrt(square), within

    def _fall(self, axis: VelocityAxis, full: float, aim: float, aside: bool) -> float:
        """Choose for an axis whose peak does not grow; returns the square of its new peak."""
        self._choose(axis, full, aim)
        peak = axis.peak(axis.next, axis.chosen)
        if aside:
            brake = axis.brake()
            peak = max(peak, axis.peak(axis.value + brake * axis.period, brake))
        return peak * peak

    def _choose(self, axis: VelocityAxis, full: float, aim: float) -> bool:
        """Choose for a reduced aim; False where the full one would have led to something else."""
        axis.choose(full)
        if aim == full:
            return True
        free = axis.chosen
        axis.choose(aim)
        axis.overruled = axis.chosen != free
        return not axis.overruled
