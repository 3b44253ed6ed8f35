"""Where a motion has to end: half-spaces that braking must not leave. Free of ROS.

Of every state it counts how far braking from it would lead, along the whole way to rest. As long
as that is within the boundaries, braking is one way to keep them; so a period may do more than
brake exactly as far as that stays true after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vla_safety.axes import Limit, LimitViolation
from vla_safety.velocity_axis import VelocityAxis

# Relative: braking with the normal set is enough if it only leads this much too far.
_ROUNDING = 1e-6
# Share of the way that one period's change of acceleration makes: how near the search must come.
_SEARCH = 1e-3
# m: what braking with the normal set may lead too far without the emergency set.
_GRAIN = 1e-9
_PASSES = 3
_TRIES = 40
_MOST_PERIODS = 100_000


@dataclass(frozen=True)
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

    __slots__ = ("acceleration", "axis", "back", "brake", "forward")

    def __init__(self, axis: VelocityAxis) -> None:
        self.axis = axis
        self.brake: float | None = None
        self.acceleration = axis.chosen
        self.back, self.forward = axis.reach(axis.chosen)

    def choose(self, acceleration: float) -> None:
        """Do this instead, because of a boundary."""
        self.acceleration = acceleration
        self.back, self.forward = self.axis.reach(acceleration)
        self.axis.take(acceleration)
        self.axis.overruled = True

    def braking(self) -> float:
        if self.brake is None:
            self.brake = self.axis.brake()
        return self.brake

    def harden(self) -> None:
        """Brake with the emergency set."""
        self.axis.enter_emergency()
        self.brake = None
        self.choose(self.braking())

    def towards(self, coefficient: float) -> float:
        """How far it would come towards a boundary; >= 0, or NaN."""
        return coefficient * (self.forward if coefficient > 0.0 else self.back)

    def towards_after(self, coefficient: float, acceleration: float) -> float:
        """The same, were this chosen."""
        back, forward = self.axis.reach(acceleration)
        return coefficient * (forward if coefficient > 0.0 else back)


_Involved = list[tuple[float, _Mover]]


class BoundaryKeeper:
    """Changes what the axes chose in one period to what keeps the boundaries."""

    def __init__(self, axes: Sequence[VelocityAxis | None]) -> None:
        """axes: one per dimension of the action space, None for those that are no velocities."""
        self._axes = axes
        self._movers: dict[int, _Mover] = {}

    def keep(self, boundaries: Sequence[Boundary], violations: list[LimitViolation]) -> None:
        """Decide the period.

        Raises:
            ValueError: a boundary has a coefficient for a dimension that is no velocity, or not
                one for each dimension.
        """
        sides = [(boundary, self._involved(boundary)) for boundary in boundaries]
        named: set[str] = set()
        for _ in range(_PASSES):
            # What one boundary makes an axis do may matter to another.
            broken = False
            for boundary, involved in sides:
                room = boundary.remaining if boundary.remaining > 0.0 else 0.0
                needed = sum(mover.towards(c) for c, mover in involved)
                if needed <= room or _furthest(involved) <= room:
                    continue
                broken = True
                if boundary.name not in named:
                    named.add(boundary.name)
                    violations.append(_violation(boundary, involved, needed, room))
                _ease(involved, room)
            if not broken:
                return
        for mover in self._movers.values():
            mover.choose(mover.braking())

    def _involved(self, boundary: Boundary) -> _Involved:
        if len(boundary.coefficients) != len(self._axes):
            raise ValueError(
                f"boundary {boundary.name} has {len(boundary.coefficients)} coefficients; "
                f"accepted: one for each of the {len(self._axes)} dimensions"
            )
        found = []
        for index, coefficient in enumerate(boundary.coefficients):
            if coefficient == 0.0:
                continue
            mover = self._movers.get(index)
            if mover is None:
                axis = self._axes[index]
                if axis is None:
                    raise ValueError(
                        f"boundary {boundary.name} has coefficient {coefficient} for dimension "
                        f"{index}; accepted: 0 for what is no velocity"
                    )
                mover = self._movers[index] = _Mover(axis)
            found.append((coefficient, mover))
        return found


def _violation(
    boundary: Boundary, involved: _Involved, needed: float, room: float
) -> LimitViolation:
    _, mover = max(involved, key=lambda entry: entry[1].towards(entry[0]))
    name = mover.axis.dimension.name
    return LimitViolation(boundary.limit, name, needed, room, boundary.name)


def _furthest(involved: _Involved) -> float:
    """Furthest that the axes would come together at any time until rest.

    The sum of what each does by itself is more where some lead away at that time. inf where none
    does: the sum is all there is to know then.
    """
    if not any(c * (m.back if c > 0.0 else m.forward) < 0.0 for c, m in involved):
        return math.inf
    moving = [
        [c, m.axis.value + m.acceleration * m.axis.period, m.acceleration] for c, m in involved
    ]
    period = involved[0][1].axis.period
    position = furthest = period * sum(c * v for c, v, _ in moving)
    brakes = [m.axis.rates.brake for _, m in involved]
    for _ in range(_MOST_PERIODS):
        if all(state[1] == 0.0 for state in moving):
            return furthest
        for state, brake in zip(moving, brakes, strict=True):
            if state[1] != 0.0:
                _brake_once(state, brake, period)
        position += period * sum(c * v for c, v, _ in moving)
        furthest = max(furthest, position)
    return math.inf


def _brake_once(state: list[float], brake: Callable[[float, float], float], period: float) -> None:
    acceleration = brake(state[1], state[2])
    rate = state[1] + acceleration * period
    state[1] = 0.0 if abs(rate) <= 1e-12 * abs(acceleration) * period else rate
    state[2] = acceleration


def _ease(involved: _Involved, room: float) -> None:
    """Choose between what was chosen and braking: as little of the brake as is enough."""
    turned = []
    fixed = least = 0.0
    for c, mover in involved:
        now, braking = mover.towards(c), mover.towards_after(c, mover.braking())
        if now <= braking:
            fixed += now
            continue
        turned.append((c, mover))
        least += braking
    least += fixed
    if not least <= room + _ROUNDING * (room + least) + _GRAIN:
        _brake_hard(involved, room)
        return
    period = involved[0][1].axis.period
    tolerance = _SEARCH * period**2 * sum(abs(c) * m.axis.rates.quantum for c, m in turned)

    def surplus(share: float) -> float:
        total = fixed - room
        for c, mover in turned:
            brake = mover.braking()
            total += mover.towards_after(c, brake + share * (mover.acceleration - brake))
        return total

    share = _largest(surplus, least - room, tolerance)
    for _, mover in turned:
        brake = mover.braking()
        mover.choose(brake + share * (mover.acceleration - brake))


def _brake_hard(involved: _Involved, room: float) -> None:
    """Brake what comes nearer; with the emergency set where the normal one is not enough."""
    for c, mover in involved:
        if not mover.towards_after(c, mover.braking()) <= 0.0 or not mover.towards(c) <= 0.0:
            mover.choose(mover.braking())
    if _furthest(involved) <= room:
        return
    for c, mover in involved:
        if not mover.towards(c) <= 0.0:
            mover.harden()


def _largest(surplus: Callable[[float], float], at_zero: float, tolerance: float) -> float:
    """Largest share in [0, 1] at which a growing function is not above 0, nearly."""
    low, f_low = 0.0, at_zero
    high, f_high = 1.0, surplus(1.0)
    if f_high <= 0.0:
        return 1.0
    side = 0
    for _ in range(_TRIES):
        if f_low >= -tolerance:
            break
        # Towards the middle of what is tolerated, so that the answer is on the right side.
        share = low + (high - low) * (-0.5 * tolerance - f_low) / (f_high - f_low)
        f_share = surplus(share)
        if f_share <= 0.0:
            low, f_low = share, f_share
            # Illinois: an end that stays twice is halved, or the method would creep.
            f_high = f_high * 0.5 if side == 1 else f_high
            side = 1
        else:
            high, f_high = share, f_share
            f_low = f_low * 0.5 if side == -1 else f_low
            side = -1
    return low
