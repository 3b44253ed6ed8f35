"""Where a motion has to end: half-spaces that braking must not leave. Free of ROS.

Of every state it counts how far braking from it would lead each axis towards a boundary, along
the whole way to rest. As long as the sum of these ways is within the boundary, braking is one way
to keep it; so a period may do more than brake exactly as far as that stays true after it.

An axis that leads away counts as one that stays: another may come to rest later than it. So a
robot that slides along a boundary that is oblique to its axes slows down near it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vla_safety.limits.axes import Limit, LimitViolation
from vla_safety.limits.root_finding import illinois
from vla_safety.limits.velocity_axis import VelocityAxis

# Relative: braking with the normal set is enough if it only leads this much too far.
_ROUNDING = 1e-6
# Of the way that one period's change of acceleration makes: how near the search must come.
_SEARCH = 0.05
# m: what braking with the normal set may lead too far without the emergency set.
_GRAIN = 1e-9
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Boundary:
    """A plane that the motion must stop before.

    coefficients: one per dimension of the action space, c_i; not 0 for velocity dimensions only.
    A displacement x_i of the dimensions brings the robot nearer to the plane by sum(c_i x_i).
    remaining: the way that is left at this period's begin, m; 0 or less at the plane and beyond:
    then only what leads away passes. NaN here or in a coefficient: nothing passes.
    limit, name: what a violation says.
    """

    coefficients: tuple[float, ...]
    remaining: float
    limit: Limit
    name: str


class _Mover:
    """An axis while a period is decided: what it chose, and how far that would lead."""

    __slots__ = ("acceleration", "at_most", "axis", "back", "brake", "forward")

    def __init__(self, axis: VelocityAxis) -> None:
        self.axis = axis
        # Furthest displacement either way: quick to have, and enough far from a boundary.
        self.acceleration = axis.chosen
        self.at_most = axis.rates.reach_at_most(axis.next, axis.chosen)
        self.brake = self.back = self.forward = math.nan

    def choose(self, acceleration: float, reach: tuple[float, float] | None = None) -> None:
        """Do this instead, because of a boundary; reach: of it, where it is known."""
        self.acceleration = acceleration
        self.back, self.forward = reach or self.axis.reach(acceleration)
        self.axis.apply(acceleration)
        self.axis.overruled = True

    def braking(self) -> float:
        if math.isnan(self.brake):
            self.brake = self.axis.brake()
        return self.brake

    def harden(self) -> None:
        """Brake with the emergency set."""
        self.axis.enter_emergency()
        self.brake = self.axis.brake()
        self.choose(self.brake)

    def towards(self, coefficient: float) -> float:
        """How far it would come towards a boundary; >= 0, or NaN."""
        if math.isnan(self.back):
            self.back, self.forward = self.axis.reach(self.acceleration)
        return coefficient * (self.forward if coefficient > 0.0 else self.back)


_Involved = list[tuple[float, _Mover]]
_Side = tuple[Boundary, _Involved, float]


class BoundaryKeeper:
    """Changes what the axes chose in one period to what keeps the boundaries."""

    def __init__(self, axes: Sequence[VelocityAxis | None]) -> None:
        """axes: one per dimension of the action space, None for those that are no velocities."""
        self._axes = axes
        # Of boundaries that come again and again, as those of a box do.
        self._parts: dict[tuple[float, ...], tuple[tuple[int, float], ...]] = {}

    def keep(self, boundaries: Sequence[Boundary], violations: list[LimitViolation]) -> None:
        """Decide the period.

        Raises:
            ValueError: a boundary has a coefficient for a dimension that is no velocity, or not
                one for each dimension.
        """
        movers: dict[int, _Mover] = {}
        near = []
        for boundary in boundaries:
            parts = self._parts_of(boundary)
            at_most = 0.0
            for index, coefficient in parts:
                mover = movers.get(index)
                if mover is None:
                    mover = movers[index] = self._mover(index)
                at_most += mover.at_most * (coefficient if coefficient > 0.0 else -coefficient)
            room = boundary.remaining if boundary.remaining > 0.0 else 0.0
            if not at_most <= room:
                near.append((boundary, [(c, movers[i]) for i, c in parts], room))
        if not near or not _ease_all(near, violations):
            return
        if all(len(involved) == 1 for _, involved, _ in near):
            return
        # What one boundary makes an axis do matters to others that several axes share.
        for _ in range(2):
            if not _ease_all(self._sides(boundaries, movers), []):
                return
        for mover in movers.values():
            mover.choose(mover.braking())

    def _sides(self, boundaries: Sequence[Boundary], movers: dict[int, _Mover]) -> list[_Side]:
        return [
            (
                boundary,
                [(c, movers[i]) for i, c in self._parts_of(boundary)],
                boundary.remaining if boundary.remaining > 0.0 else 0.0,
            )
            for boundary in boundaries
        ]

    def _mover(self, index: int) -> _Mover:
        axis = self._axes[index]
        assert axis is not None, "checked before"
        return _Mover(axis)

    def _parts_of(self, boundary: Boundary) -> tuple[tuple[int, float], ...]:
        return self._parts.get(boundary.coefficients) or self._check(boundary)

    def _check(self, boundary: Boundary) -> tuple[tuple[int, float], ...]:
        coefficients = boundary.coefficients
        if len(coefficients) != len(self._axes):
            raise ValueError(
                f"boundary {boundary.name} has {len(coefficients)} coefficients; accepted: one "
                f"for each of the {len(self._axes)} dimensions"
            )
        parts = tuple((i, c) for i, c in enumerate(coefficients) if c != 0.0)
        for index, coefficient in parts:
            if self._axes[index] is None:
                raise ValueError(
                    f"boundary {boundary.name} has coefficient {coefficient} for dimension "
                    f"{index}; accepted: 0 for what is no velocity"
                )
        if len(self._parts) >= _REMEMBERED:
            self._parts.clear()
        self._parts[coefficients] = parts
        return parts


def _ease_all(sides: Sequence[_Side], violations: list[LimitViolation]) -> bool:
    """Keep each boundary in turn; whether something had to be changed."""
    changed = False
    for boundary, involved, room in sides:
        needed = 0.0
        for c, mover in involved:
            needed += mover.towards(c)
        if needed <= room:
            continue
        violation = _violation(boundary, involved, needed, room)
        if _ease(involved, room):
            violations.append(violation)
            changed = True
    return changed


def _violation(
    boundary: Boundary, involved: _Involved, needed: float, room: float
) -> LimitViolation:
    _, mover = max(involved, key=lambda entry: entry[1].towards(entry[0]))
    name = mover.axis.dimension.name
    return LimitViolation(boundary.limit, name, needed, room, boundary.name)


def _ease(involved: _Involved, room: float) -> bool:
    """Choose between what was chosen and braking: as little of the brake as is enough.

    Returns whether that is something else than what was chosen.
    """
    turned = []
    fixed = braked = 0.0
    for c, mover in involved:
        reach = mover.axis.reach(mover.braking())
        braking = c * (reach[1] if c > 0.0 else reach[0])
        now = mover.towards(c)
        if now <= braking:
            fixed += now
        else:
            turned.append((c, mover, reach))
            braked += braking
    least = fixed + braked
    if not least <= room + _ROUNDING * (room + least) + _GRAIN:
        _brake_hard(involved)
        return True
    tolerance = _SEARCH * sum(abs(c) * m.axis.rates.step_way for c, m, _ in turned)
    share = 0.0
    if least < room - tolerance:
        # Whatever is tolerated is on the near side of the boundary.
        middle = room - 0.5 * tolerance

        def surplus(share: float) -> float:
            total = fixed - middle
            for c, mover, _ in turned:
                brake = mover.brake
                reach = mover.axis.reach(brake + share * (mover.acceleration - brake))
                total += c * (reach[1] if c > 0.0 else reach[0])
            return total

        needed = sum(mover.towards(c) for c, mover, _ in turned) + fixed
        share = illinois(surplus, 0.0, 1.0, least - middle, needed - middle, 0.5 * tolerance)
    for _, mover, reach in turned:
        if share > 0.0:
            mover.choose(mover.brake + share * (mover.acceleration - mover.brake))
        else:
            mover.choose(mover.brake, reach)
    return bool(turned)


def _brake_hard(involved: _Involved) -> None:
    """Brake what comes nearer; with the emergency set where the normal one is not enough."""
    for c, mover in involved:
        back, forward = mover.axis.reach(mover.braking())
        # Unless it leads away both ways; NaN does not.
        if not max(mover.towards(c), c * (forward if c > 0.0 else back)) <= 0.0:
            mover.choose(mover.brake, (back, forward))
        if not mover.towards(c) <= 0.0:
            mover.harden()
