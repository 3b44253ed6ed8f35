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
from vla_safety.limits.axes import Limit, LimitViolation
from vla_safety.limits.velocity_axis import VelocityAxis

# Of the squared bound: what rounding may take from it must not keep a target from being met.
_ROUNDING = 1.0 + 1e-12


@dataclass(frozen=True)
class Norm:
    """Greatest norm of the velocities at `indices`, m/s or rad/s.

    name: "linear", "angular" or "joint".
    """

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
        # Joints have no bound together: each goes by itself.
        ("joint", space.joint_velocity_indices, None),
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
        self._scale, self._own = math.nan, SpeedCap(norm.maximum, Limit.NORM, norm.name)

    def bound(self, scale: float, cap: SpeedCap | None) -> SpeedCap:
        """The strictest bound for now, and its name."""
        if scale != self._scale:
            limit = Limit.NORM if scale == 1.0 else Limit.SPEED_SCALE
            maximum = self.norm.maximum
            maximum = maximum * scale if maximum < math.inf else maximum
            self._scale, self._own = scale, SpeedCap(maximum, limit, self.norm.name)
        if cap is None or cap.value >= self._own.value:
            return self._own
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
            return 0.0
        asked = math.sqrt(square)
        for axis in self._axes:
            axis.target *= bound / asked
        return asked

    def _distribute(self, bound: float, aside: bool) -> tuple[float, bool]:
        """Choose for each axis so that no peak but those that are there exceeds the bound.

        Returns the norm that the axes would reach by themselves, and whether nothing was taken
        from them.
        """
        plans = []
        square = 0.0
        for axis in self._axes:
            aim = axis.aim()
            peak = axis.rates.peak(axis.value, axis.acceleration)
            plans.append((axis, aim, peak))
            square += aim * aim if aim > peak or aim < -peak else peak * peak
        room = bound * bound * _ROUNDING
        if square <= room:
            for axis, aim, _ in plans:
                axis.choose(aim)
            return 0.0, True
        # Targets are within the bound; what leads ahead of them may not be.
        aimed = sum(aim * aim for _, aim, _ in plans)
        factor = bound / math.sqrt(aimed) if aimed > room else 1.0
        return math.sqrt(square), _share_out(plans, factor, room, aside)


_Plans = list[tuple[VelocityAxis, float, float]]


def _share_out(plans: _Plans, factor: float, room: float, aside: bool) -> bool:
    """Let speeds that fall go first, and those that grow share the room that is left.

    plans: axis, aim, peak now. room: bound of the sum of the peaks' squares. Returns whether
    every axis does what it would do by itself.
    """
    growing = []
    more, within = 0.0, True
    for axis, full, peak in plans:
        aim = full * factor
        if aim > peak or aim < -peak:
            growing.append((axis, aim, peak * peak))
            room -= peak * peak
            more += aim * aim - peak * peak
        else:
            axis.choose(aim)
            # Boundaries may have it brake instead, with either set; its peak is no higher then
            # than now, and no higher than after what was chosen unless it turns back.
            if not (aside and _turns(axis, aim)):
                peak = axis.rates.peak(axis.next, axis.chosen)
            room -= peak * peak
            if factor != 1.0:
                within = _by_itself(axis) and within
    share = 1.0 if more <= room or not growing else max(0.0, room / more)
    for axis, aim, square in growing:
        if share < 1.0:
            aim = math.copysign(math.sqrt(square + share * (aim * aim - square)), aim)
        axis.choose(aim)
        if share < 1.0 or factor != 1.0:
            within = _by_itself(axis) and within
    return within


def _turns(axis: VelocityAxis, aim: float) -> bool:
    """Whether it changes its direction, because it has to or to reach its aim."""
    v = axis.value
    return v == 0.0 or v * aim < 0.0 or v * (v + axis.rates.drift(axis.acceleration)) < 0.0


def _by_itself(axis: VelocityAxis) -> bool:
    """Whether an axis does what it would for an aim that is not reduced: all that it can."""
    rates, chosen = axis.rates, axis.chosen
    most = rates.quantum * (1.0 - 1e-12)
    bound = rates.bound(axis.value, axis.next) * (1.0 - 1e-12)
    axis.overruled = abs(chosen - axis.acceleration) < most and abs(chosen) < bound
    return not axis.overruled
