"""An orientation, limited in angular velocity, acceleration and jerk on SO(3). Free of ROS.

The state is a quaternion q and the motion of the tangent space of the fixed frame at q. With T the
control period and log the rotation vector of a quaternion (see `vla_contract.rotations`):
    w_k = log(q_k q_{k-1}^-1) / T,  a_k = (w_k - w_{k-1}) / T,  j_k = (a_k - a_{k-1}) / T
and each limit bounds the Euclidean norm of its vector. No angle is a coordinate of the state, so
there is no orientation at which anything is singular; a rotation vector or two columns of a
matrix are only what the request and the command are written in.

In each period the way that is left is e = log(q_target q^-1), and three position axes go on by one
period towards e, from 0: their values are the turn of the period, q_k = exp(turn) q_{k-1}, and
their differences w, a and j themselves. Each axis has 1/sqrt(3) of the acceleration and the jerk.
Of the velocity each may use what the peaks that the other two are committed to leave of the
norm (as in `norms`): a peak grows only by a decision, so the norm is kept for ever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from vla_contract import rotations
from vla_contract.action_space import Dimension, Kind
from vla_contract.rotations import IDENTITY, Quaternion
from vla_safety.limits.axes import Limit, LimitViolation
from vla_safety.limits.position_axis import PositionAxis, PositionState

_ABOUT = ("about x", "about y", "about z")
# rad: a target that is nearer is met, for rounding alone makes a way of this length.
_MET = 1e-12
# rad: the longer way round is gone on with while it is no longer than this. Near half a turn noise
# of the request would otherwise change the direction again and again.
_LONGER_WAY = 1.1 * math.pi


class OrientationState(NamedTuple):
    """All that an orientation remembers of its motion."""

    quaternion: Quaternion
    axes: tuple[PositionState, ...]


class OrientationAxes:
    """The axes of one orientation. numbers: of its dimensions, 3 or 6."""

    def __init__(self, dimension: Dimension, numbers: int, period: float) -> None:
        """dimension: any one of the orientation's, which have the same limits."""
        self._numbers = numbers
        self._name = dimension.name
        # The bound of the norm in either set, so that it never falls when the set changes.
        self._velocity = min(dimension.normal.velocity, dimension.emergency.velocity)
        axis = _tangent(dimension, self._velocity)
        self._axes = (
            PositionAxis(axis, period), PositionAxis(axis, period), PositionAxis(axis, period)
        )  # fmt: skip
        self.quaternion: Quaternion = IDENTITY

    def reset(self, numbers: Sequence[float]) -> None:
        """Start at rest at this orientation; at none where the numbers tell none."""
        self.quaternion = rotations.from_numbers(numbers) or IDENTITY
        for axis in self._axes:
            axis.reset(0.0)

    @property
    def values(self) -> tuple[float, ...]:
        """Last published: a rotation vector of at most pi, or two columns."""
        return rotations.to_numbers(self.quaternion, self._numbers)

    @property
    def state(self) -> OrientationState:
        """What `restore` goes back to."""
        return OrientationState(self.quaternion, tuple([axis.state for axis in self._axes]))

    def restore(self, state: OrientationState) -> None:
        """Go back to a state of before."""
        self.quaternion = state.quaternion
        for axis, before in zip(self._axes, state.axes, strict=True):
            axis.restore(before)

    @property
    def at_rest(self) -> bool:
        """The last command repeated the one before."""
        return all(axis.at_rest for axis in self._axes)

    @property
    def in_emergency(self) -> bool:
        """The emergency set is in force about some axis."""
        return any(axis.in_emergency for axis in self._axes)

    def advance(
        self,
        request: Sequence[float] | None,
        emergency: bool,
        scale: float,
        violations: list[LimitViolation],
    ) -> None:
        """Move by one period. request: 3 or 6 numbers; None, or what tells no orientation: brake.

        Other arguments as those of `Axis.admit`.
        """
        way = None if request is None else self._way(request)
        if request is not None and way is None:
            violations.append(LimitViolation(Limit.FINITE, self._name, math.nan, 0.0))
        peaks = [axis.normal.peak(axis.rate, axis.acceleration) for axis in self._axes]
        bound = self._velocity * scale
        for i, axis in enumerate(self._axes):
            others = sum([peak * peak for peak in peaks]) - peaks[i] * peaks[i]
            room = math.sqrt(max(0.0, bound * bound - others)) / self._velocity
            found: list[LimitViolation] = []
            axis.advance(None if way is None else way[i], emergency, min(room, 1.0), found)
            for violation in found:
                violations.append(self._violation(violation, _ABOUT[i], scale))
            peaks[i] = axis.normal.peak(axis.rate, axis.acceleration)
        self.quaternion = self._turned([axis.value for axis in self._axes])
        for axis in self._axes:
            axis.shift(-axis.value)

    def hold_target(self, emergency: bool = False) -> tuple[float, ...]:
        """Where it comes to rest soonest, but for what turning about several axes adds."""
        turn = [axis.hold_target(emergency) for axis in self._axes]
        return rotations.to_numbers(self._turned(turn), self._numbers)

    def braking_path(self) -> list[tuple[float, ...]]:
        """The values of the periods until rest, were it to brake with the emergency set now."""
        ways = [axis.braking_path() for axis in self._axes]
        path, q = [], self.quaternion
        before = [0.0, 0.0, 0.0]
        for k in range(max(map(len, ways))):
            now = [way[min(k, len(way) - 1)] if way else 0.0 for way in ways]
            turn = [b - a for a, b in zip(before, now, strict=True)]
            q = rotations.multiply(rotations.exponential(turn), q)
            before = now
            path.append(rotations.to_numbers(q, self._numbers))
        return path

    def _turned(self, turn: Sequence[float]) -> Quaternion:
        if turn[0] == 0.0 and turn[1] == 0.0 and turn[2] == 0.0:
            return self.quaternion
        return rotations.multiply(rotations.exponential(turn), self.quaternion)

    def _way(self, request: Sequence[float]) -> tuple[float, ...] | None:
        """Rotation vector from here to a request; the way round that is nearer to the last one."""
        target = rotations.from_numbers(request)
        if target is None:
            return None
        error = rotations.multiply(target, rotations.inverse(self.quaternion))
        x, y, z = rotations.logarithm(error)
        size = math.sqrt(x * x + y * y + z * z)
        if size <= _MET:
            return (0.0, 0.0, 0.0)
        longer = 2.0 * math.pi - size
        a, b, c = (axis.reference for axis in self._axes)
        if longer <= _LONGER_WAY and a * x + b * y + c * z < 0.0:
            share = -longer / size
            return (share * x, share * y, share * z)
        return (x, y, z)

    def _violation(self, found: LimitViolation, about: str, scale: float) -> LimitViolation:
        limit = found.limit
        if limit is Limit.SPEED_SCALE and scale == 1.0:
            limit = Limit.VELOCITY  # the axes together use all of it
        return found._replace(limit=limit, dimension=self._name, name=about)


def _tangent(dimension: Dimension, velocity: float) -> Dimension:
    """What one axis is as a position, rad; its range is beyond every way and every brake."""
    normal, emergency = (
        replace(dimension.of_axis(limits), velocity=velocity)
        for limits in (dimension.normal, dimension.emergency)
    )
    ramp = normal.deceleration / normal.jerk
    reach = 2.0 * math.pi + velocity * (2.0 * ramp + velocity / normal.deceleration + 1.0)
    return Dimension(
        dimension.name, Kind.JOINT_POSITION, "rad", -reach, reach, -reach, reach, normal, emergency,
        dimension.frame, dimension.output,
    )  # fmt: skip
