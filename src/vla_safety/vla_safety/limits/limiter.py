"""Every limit of a motion, kept in discrete time. Free of ROS.

Of each dimension range, velocity, acceleration, deceleration and jerk (axes, braking); of several
together norms and caps of their speed (norms) and where they must have stopped (boundaries).

By finite differences at the control period T, for velocity kinds:
    v_k = command,                   a_k = (v_k - v_{k-1}) / T,  j_k = (a_k - a_{k-1}) / T
and for positions and grippers:
    v_k = (x_k - x_{k-1}) / T,       a_k and j_k likewise.
Of an orientation the three are vectors, see orientation_axes.
`acceleration` bounds |a_k| where |v_k| > |v_{k-1}|, `deceleration` where it is less, and both
where v changes its sign.

What takes precedence:
- The range is never left.
- In an emergency the emergency set replaces the normal one. After it, an axis keeps the
  emergency set and brakes until its state is one that the normal set can be kept from;
  `LimitedStep.emergency` says which set was in force.
- When a velocity limit falls while moving (`speed_scale`, `speed_cap`), acceleration and jerk
  come first: the velocity goes to the new limit as fast as they allow, and does not leave it again.
- Before a boundary the normal set brakes in time; where one comes nearer than that, the emergency
  set. Beyond a boundary only what leads away passes.
- A request that keeps all limits by itself passes unchanged; one that does not is followed as
  fast as the limits allow. "Stop" never overshoots 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace, Dimension, Kind
from vla_safety.limits.axes import Limit, LimitViolation, make_rates
from vla_safety.limits.boundaries import Boundary, BoundaryKeeper
from vla_safety.limits.braking import Rates
from vla_safety.limits.norms import NormGroup, SpeedCap, norms_of
from vla_safety.limits.orientation_axes import OrientationAxes, OrientationState
from vla_safety.limits.position_axis import PositionAxis, PositionState
from vla_safety.limits.velocity_axis import VelocityAxis

__all__ = [
    "Array",
    "Boundary",
    "Limit",
    "LimitViolation",
    "LimitedStep",
    "MotionLimiter",
    "PositionStates",
    "SpeedCap",
    "braking_time",
]

Array = npt.NDArray[np.float64]
PositionStates = tuple[tuple[PositionState, ...], tuple[OrientationState, ...]]


@dataclass(frozen=True)
class LimitedStep:
    """Outcome of one control period.

    safe: command, SI, shape (width,). violations: what changed the request.
    emergency: the emergency limit set was in force in at least one dimension.
    """

    safe: Array
    violations: tuple[LimitViolation, ...]
    emergency: bool = False


class MotionLimiter:
    """Turns any sequence of requests into one that keeps the limits of an action space."""

    def __init__(self, space: ActionSpace, period: float | None = None) -> None:
        """Start at rest. period: control period, s; that of the action space by default."""
        self.space = space
        self.period = space.period if period is None else period
        if not (math.isfinite(self.period) and self.period > 0.0):
            raise ValueError(f"period is {self.period!r} s; accepted: a finite number above 0")
        # None of an orientation's dimensions, which have axes of their own.
        self._axes = tuple(_make_axis(dimension, self.period) for dimension in space.dimensions)
        self._velocities = tuple(
            axis if isinstance(axis, VelocityAxis) else None for axis in self._axes
        )
        # A position moves by itself; velocities begin, share what they may do, and finish.
        self._begin = tuple(
            (i, axis.advance if isinstance(axis, PositionAxis) else axis.begin)
            for i, axis in enumerate(self._axes)
            if axis is not None
        )
        self._finish = tuple(axis.finish for axis in self._velocities if axis is not None)
        self._orientations = tuple(
            (
                one.indices,
                OrientationAxes(space.dimensions[one.indices[0]], len(one.indices), self.period),
            )
            for one in space.orientations
        )
        self._keeper = BoundaryKeeper(self._velocities)
        self._groups = tuple(
            NormGroup(norm, [axis for i in norm.indices if (axis := self._velocities[i])])
            for norm in norms_of(space)
        )

    def reset(self, values: npt.ArrayLike | None = None) -> None:
        """Forget the motion so far and start with no acceleration.

        values: shape (width,), SI: the velocity of velocity dimensions, the resting place of
        others. None: 0, clipped into the range, as is every value. Not finite: taken as 0.

        Raises:
            ValueError: wrong width.
        """
        row = [0.0] * len(self._axes) if values is None else self._row(values)
        for axis, value in zip(self._axes, row, strict=True):
            if axis is not None:
                axis.reset(value)
        for indices, orientation in self._orientations:
            orientation.reset([row[i] for i in indices])

    def step(
        self,
        requested: npt.ArrayLike | None,
        *,
        emergency: bool = False,
        speed_scale: float = 1.0,
        boundaries: Sequence[Boundary] = (),
        speed_cap: SpeedCap | None = None,
    ) -> LimitedStep:
        """Move by one control period.

        requested: shape (width,), SI. None: brake to rest. An entry that is not finite brakes
        its dimension and is reported.
        speed_scale: of every velocity limit, 0 to 1.
        boundaries: where the motion has to end. speed_cap: of the norm of the linear velocities.

        Raises:
            ValueError: wrong width, or a scale outside [0, 1].
        """
        if not 0.0 <= speed_scale <= 1.0:
            raise ValueError(f"speed_scale is {speed_scale!r}; accepted: 0 to 1")
        row: list[float] | list[None] = (
            [None] * len(self._axes) if requested is None else self._row(requested)
        )
        violations: list[LimitViolation] = []
        for i, begin in self._begin:
            begin(row[i], emergency, speed_scale, violations)
        for indices, orientation in self._orientations:
            numbers = None if requested is None else [float(row[i] or 0.0) for i in indices]
            orientation.advance(numbers, emergency, speed_scale, violations)
        for group in self._groups:
            cap = speed_cap if group.norm.name == "linear" else None
            group.share(speed_scale, cap, bool(boundaries), violations)
        if boundaries:
            self._keeper.keep(boundaries, violations)
        for finish in self._finish:
            finish(violations)
        in_emergency = any(axis.in_emergency for axis in self._axes if axis is not None) or any(
            orientation.in_emergency for _, orientation in self._orientations
        )
        return LimitedStep(np.array(self._values()), tuple(violations), in_emergency)

    @property
    def positions(self) -> PositionStates:
        """What `restore_positions` goes back to, of every position, gripper and orientation."""
        return (
            tuple(axis.state for axis in self._axes if isinstance(axis, PositionAxis)),
            tuple(orientation.state for _, orientation in self._orientations),
        )

    def restore_positions(self, states: PositionStates) -> None:
        """Go back to the positions of before: the steps since were only tried."""
        axes = [axis for axis in self._axes if isinstance(axis, PositionAxis)]
        for axis, state in zip(axes, states[0], strict=True):
            axis.restore(state)
        for (_, orientation), before in zip(self._orientations, states[1], strict=True):
            orientation.restore(before)

    def braking_path(self) -> Array:
        """Commands of the periods until rest, were it to brake with the emergency set from now.

        The first row is the present command; shape (periods + 1, width). A velocity is 0.
        """
        paths = [
            [axis.value, *axis.braking_path()] if isinstance(axis, PositionAxis) else [0.0]
            for axis in self._axes
        ]
        for indices, orientation in self._orientations:
            rows_of_it = [orientation.values, *orientation.braking_path()]
            for i, path in zip(indices, zip(*rows_of_it, strict=True), strict=True):
                paths[i] = list(path)
        rows = max(map(len, paths))
        return np.array([path + path[-1:] * (rows - len(path)) for path in paths]).T

    def hold_target(self, emergency: bool = False) -> Array:
        """What "stop" requests: 0 for velocities; for others where they come to rest soonest."""
        row = [0.0 if axis is None else axis.hold_target(emergency) for axis in self._axes]
        for indices, orientation in self._orientations:
            for i, value in zip(indices, orientation.hold_target(emergency), strict=True):
                row[i] = value
        return np.array(row)

    @property
    def values(self) -> Array:
        """Last command, SI, shape (width,)."""
        return np.array(self._values())

    @property
    def standstill(self) -> bool:
        """The last command was at rest in every dimension."""
        return all(axis.at_rest for axis in self._axes if axis is not None) and all(
            orientation.at_rest for _, orientation in self._orientations
        )

    @property
    def velocity_standstill(self) -> bool:
        """The last command was 0 in every velocity dimension."""
        return all(axis.at_rest for axis in self._axes if isinstance(axis, VelocityAxis))

    def _values(self) -> list[float]:
        row = [0.0 if axis is None else axis.value for axis in self._axes]
        for indices, orientation in self._orientations:
            for i, value in zip(indices, orientation.values, strict=True):
                row[i] = value
        return row

    def _row(self, values: npt.ArrayLike) -> list[float]:
        row = np.asarray(values, dtype=np.float64)
        if row.shape != (len(self._axes),):
            raise ValueError(
                f"row has shape {row.shape}; accepted: ({len(self._axes)},) for action space "
                f"{self.space.name}"
            )
        return row.tolist()


def _make_axis(dimension: Dimension, period: float) -> VelocityAxis | PositionAxis | None:
    if dimension.kind is Kind.END_EFFECTOR_ORIENTATION:
        return None
    if dimension.kind.is_velocity:
        return VelocityAxis(dimension, period)
    return PositionAxis(dimension, period)


def braking_time(dimension: Dimension, period: float) -> float:
    """Longest time that the emergency set takes to bring the dimension to rest, s.

    From any state that the normal set leads to. The worst are those in which the velocity would
    peak at its limit; the later the acceleration must be taken back, the longer it takes. One
    period is added for the states between those that are tried.
    """
    normal, emergency = (
        make_rates(dimension.of_axis(dimension.normal), period),
        make_rates(dimension.of_axis(dimension.emergency), period),
    )
    top = dimension.normal.velocity
    if dimension.kind.is_velocity:
        top = min(top, max(-dimension.low, dimension.high))
    most = min(normal.acceleration, normal.acceleration_for(top))
    periods = 0
    for share in range(_SHARES + 1):
        acceleration = most * share / _SHARES
        rate = top - normal.drift(acceleration)
        periods = max(periods, _periods_to_rest(emergency, rate, acceleration))
    return (periods + 1) * period


_SHARES = 16


def _periods_to_rest(rates: Rates, rate: float, acceleration: float) -> int:
    periods = 0
    while rate != 0.0:
        acceleration = rates.brake(rate, acceleration)
        rate += acceleration * rates.period
        if abs(rate) <= 1e-9 * rates.quantum * rates.period:
            rate = 0.0
        periods += 1
    return periods
