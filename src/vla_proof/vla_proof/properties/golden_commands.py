"""What an outside recorder finds in the commands of a run: limits kept, and the same twice.

Free of ROS: a record is arrays, taken from `SafeAction` (tick, period, safe, emergency) or from the
robot's own topics (Twist, JointTrajectory, Float64 …) in the order of the action space. All
derivatives are finite differences over consecutive ticks; a gap begins a new run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace, Dimension
from vla_proof.properties.checked_bounds import SHARE, Bounds
from vla_proof.properties.orientation_oracle import OrientationOracle

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Record:
    """Commands of a run. ticks: (n,), growing. period: s. values: (n, width), SI.

    emergency: (n,), the emergency set was in force.
    """

    ticks: npt.NDArray[np.int64]
    period: float
    values: Array
    emergency: BoolArray

    def runs(self) -> Iterator[slice]:
        """Parts without a missing tick."""
        cuts = np.flatnonzero(np.diff(self.ticks) != 1) + 1
        edges = [0, *cuts.tolist(), len(self.ticks)]
        yield from (slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True) if b > a)


def judge(space: ActionSpace, record: Record, scale: float = 1.0) -> Bounds:
    """Check range, velocity, acceleration, deceleration, jerk and norm of each command.

    The first commands of a run have no past and are judged as far as they go. scale: greatest
    speed scale of the run; a bound that fell meanwhile is judged by `oracle`, which is told.
    """
    bounds = Bounds()
    for part in record.runs():
        values, emergency = record.values[part], record.emergency[part]
        turning = {i for orientation in space.orientations for i in orientation.indices}
        for i, dimension in enumerate(space.dimensions):
            if i not in turning:
                _judge_dimension(dimension, record.period, values[:, i], emergency, scale, bounds)
        for orientation in space.orientations:
            oracle = OrientationOracle(space, orientation.indices, values[0].tolist(), bounds)
            for row, hard in zip(values[1:], emergency[1:], strict=True):
                oracle.take(row.tolist(), bool(hard), scale)
        for indices, most in (
            (space.linear_indices, space.norms.linear_velocity),
            (space.angular_indices, space.norms.angular_velocity),
        ):
            if indices and most is not None:
                norm = np.sqrt(np.sum(values[:, list(indices)] ** 2, axis=1))
                _within("norm", "norm", norm, np.full(len(norm), most * scale), 1e-12, bounds)
        bounds.commands += len(values)
    return bounds


def derivatives(dimension: Dimension, period: float, values: Array) -> tuple[Array, Array, Array]:
    """(velocity, acceleration, jerk) of one dimension, each as long as it has a past.

    The last entries of all three belong to the last command.
    """
    rate = values if dimension.kind.is_velocity else np.diff(values) / period
    acceleration = np.diff(rate) / period
    return rate, acceleration, np.diff(acceleration) / period


def disagreement(space: ActionSpace, period: float, robot: Array, safe: Array) -> dict[str, float]:
    """Greatest difference of what two records of the same ticks show, in SI.

    robot: (n, width) from the robot's own topics. safe: (n, width) from SafeAction.

    Raises:
        ValueError: the shapes differ.
    """
    if robot.shape != safe.shape:
        raise ValueError(f"records have shapes {robot.shape} and {safe.shape}; accepted: equal")
    found = {"command": 0.0, "velocity": 0.0, "acceleration": 0.0, "jerk": 0.0}
    for i, dimension in enumerate(space.dimensions):
        pairs = zip(
            ("command", "velocity", "acceleration", "jerk"),
            (robot[:, i], *derivatives(dimension, period, robot[:, i])),
            (safe[:, i], *derivatives(dimension, period, safe[:, i])),
            strict=True,
        )
        for name, a, b in pairs:
            found[name] = max(found[name], float(np.max(np.abs(a - b), initial=0.0)))
    return found


def _judge_dimension(
    d: Dimension, period: float, values: Array, emergency: BoolArray, scale: float, bounds: Bounds
) -> None:
    if not np.isfinite(values).all():
        bounds.fail("finite", d.name, float("nan"), 0.0)
        return
    middle, half = 0.5 * (d.low + d.high), 0.5 * (d.high - d.low)
    _within("range", d.name, values - middle, np.full(len(values), half), 1e-12, bounds)
    ulp = 4.0 * np.spacing(max(abs(d.low), abs(d.high), float(np.max(np.abs(values)))))
    noise = ulp / period if d.kind.is_velocity else 2.0 * ulp / period**2
    rate, acceleration, jerk = derivatives(d, period, values)

    def bound(name: str, count: int) -> Array:
        hard = emergency[len(emergency) - count :]
        return np.where(hard, getattr(d.emergency, name), getattr(d.normal, name))

    _within("velocity", d.name, rate, scale * bound("velocity", len(rate)), noise * period, bounds)
    falls = np.abs(rate[1:]) < np.abs(rate[:-1])
    crosses = (rate[1:] * rate[:-1] < 0.0) & (
        np.minimum(np.abs(rate[1:]), np.abs(rate[:-1])) > noise * period
    )
    grow, fall = (bound(name, len(acceleration)) for name in ("acceleration", "deceleration"))
    most = np.where(crosses, np.minimum(grow, fall), np.where(falls, fall, grow))
    _within("acceleration", d.name, acceleration, most, noise, bounds)
    _within("jerk", d.name, jerk, bound("jerk", len(jerk)), 2.0 * noise / period, bounds)


def _within(what: str, name: str, values: Array, most: Array, noise: float, bounds: Bounds) -> None:
    if not len(values):
        return
    sizes = np.abs(values)
    worst = int(np.argmax(sizes - most * (1.0 + SHARE)))
    bounds.checks += len(values) - 1
    bounds.check(what, name, float(sizes[worst]), float(most[worst]), noise)
