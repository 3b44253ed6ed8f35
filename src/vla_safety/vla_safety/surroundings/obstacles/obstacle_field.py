"""What the sources saw last, and how near the footprint it is. Free of ROS.

For every point: its distance from the footprint, and how fast each part of the base's motion
closes that distance. With n the unit vector from the footprint's nearest point q to the point,
a velocity (vx, vy, wz) closes it at n_x vx + n_y vy + (q_x n_y - q_y n_x) wz. For a convex
footprint and a straight motion the distance never falls faster than that.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_contract.stamps import NANOSECONDS
from vla_safety.config.obstacle_config import SourceConfig
from vla_safety.surroundings.obstacles.base_kinematics import Twist2D
from vla_safety.surroundings.obstacles.footprint import Shape
from vla_safety.surroundings.obstacles.obstacle_types import BaseBoundary, InvalidSource, Reading

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
# ns; the odometer remembers so long.
_MEMORY = 2 * NANOSECONDS
# Slower than this, a distance does not close, m/s.
STILL = 1e-9
_NO_POINTS: Array = np.empty((0, 2))


@dataclass(frozen=True)
class Cloud:
    """Points, their distances from the footprint, and how motion closes these.

    xy: shape (2, n). distances: shape (n,). closing: shape (3, n), for vx, vy and wz.
    nearest: the least distance; infinite without points.
    """

    xy: Array
    distances: Array
    closing: Array
    nearest: float

    @staticmethod
    def of(points: Array, footprint: Shape, mask_body: bool = False) -> Cloud:
        """Measure points, shape (n, 2); mask_body: without those inside the footprint."""
        xy = np.ascontiguousarray(points.T)
        distances, way = footprint.measure(xy)
        if mask_body:
            outside = (distances > 0.0).nonzero()[0]
            xy, way = xy.take(outside, axis=1), way.take(outside, axis=1)
            distances = distances.take(outside)
        # As `min()` does it, without its detour through Python.
        nearest = float(np.minimum.reduce(distances)) if len(distances) else math.inf
        length = distances
        if nearest < 1e-9:
            touching = np.abs(distances) < 1e-9
            # On the outline itself, away from the origin is as good as any direction.
            way = np.where(touching, xy, way)
            distances = np.where(touching, 0.0, distances)
            nearest = float(distances.min())
            length = np.where(touching, np.hypot(xy[0], xy[1]), distances)
            length[length == 0.0] = 1.0
        closing = np.empty((3, len(distances)))
        nx, ny = np.divide(way, length, out=closing[:2])
        # The point itself does for q: from there to it is along n.
        np.subtract(xy[0] * ny, xy[1] * nx, out=closing[2])
        return Cloud(xy, distances, closing, nearest)

    @property
    def points(self) -> Array:
        """Shape (n, 2)."""
        return self.xy.T


class Memory:
    """The last good message of one source."""

    def __init__(self, config: SourceConfig) -> None:
        self.cloud: Cloud | None = None
        self.seen = 0
        self._config = config
        self._problem = ""

    def accept_reading(self, reading: Reading, seen: int, footprint: Shape) -> bool:
        """Note a message of this time, ns; True when it is new and good.

        A bad message does not hide the last good one, which stays for as long as its timeout.
        """
        self._problem = reading.problem
        if reading.problem or (self.cloud is not None and seen < self.seen):
            return False
        self.cloud = Cloud.of(reading.points, footprint, self._config.mask_body)
        self.seen = seen
        return True

    def invalid(self, name: str, steady: int) -> InvalidSource | None:
        """Why it counts as an obstacle, if it does."""
        if self.cloud is None:
            return InvalidSource(name, self._problem or "was never received", None)
        age = (steady - self.seen) / NANOSECONDS
        if age <= self._config.timeout:
            return None
        silent = f"nothing newer than {self._config.timeout:g} s"
        return InvalidSource(name, self._problem or silent, age)


class Odometer:
    """The way that the base's fastest point has gone at most, m."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, float]] = deque()

    def advance(self, speed: float, steady: int) -> None:
        """Note how fast it was until now, m/s; steady: ns."""
        if not self._marks:
            self._marks.append((steady, 0.0))
            return
        last, way = self._marks[-1]
        if steady <= last:
            return
        self._marks.append((steady, way + speed * (steady - last) / NANOSECONDS))
        while steady - self._marks[0][0] > _MEMORY:
            self._marks.popleft()

    def since(self, seen: int, speed: float, steady: int) -> float:
        """The way from a time on; before what is known, at this speed."""
        if seen >= steady:
            return 0.0
        after = None
        for mark in reversed(self._marks):
            if mark[0] <= seen:
                return self._marks[-1][1] - _way_at(seen, mark, after)
            after = mark
        if after is None:
            return speed * (steady - seen) / NANOSECONDS
        return self._marks[-1][1] - after[1] + speed * (after[0] - seen) / NANOSECONDS


def _way_at(time: int, before: tuple[int, float], after: tuple[int, float] | None) -> float:
    if after is None:
        return before[1]
    share = (time - before[0]) / (after[0] - before[0])
    return before[1] + share * (after[1] - before[1])


class Field:
    """The points of all sources, as `Cloud` has those of one."""

    def __init__(self, memories: Mapping[str, Memory]) -> None:
        clouds = {name: memory.cloud for name, memory in memories.items() if memory.cloud}
        self._counts = {name: cloud.xy.shape[1] for name, cloud in clouds.items()}
        self._seen = [memories[name].seen for name in clouds]
        self._nearest = [cloud.nearest for cloud in clouds.values()]
        self._wanted: dict[tuple[str, ...], BoolArray | None] = {}
        empty = Cloud(np.empty((2, 0)), np.empty(0), np.empty((3, 0)), math.inf)
        parts = list(clouds.values()) or [empty]
        self.xy = _joined([part.xy for part in parts])
        self.distances = _joined([part.distances for part in parts])
        self.closing = _joined([part.closing for part in parts])
        self.nearest = min(self._nearest, default=math.inf)

    @property
    def points(self) -> Array:
        """Shape (n, 2)."""
        return self.xy.T

    def aged(self, odometer: Odometer, speed: float, steady: int) -> Seen:
        """The same, nearer by the way that the base can have gone since it was seen."""
        ways = [odometer.since(seen, speed, steady) for seen in self._seen]
        if not any(ways):
            return Seen(self, self.distances, self.nearest)
        if len(ways) == 1:
            return Seen(self, self.distances - ways[0], self.nearest - ways[0])
        distances, begin = np.empty_like(self.distances), 0
        for way, count in zip(ways, self._counts.values(), strict=True):
            part = slice(begin, begin + count)
            np.subtract(self.distances[part], way, out=distances[part])
            begin += count
        # Rounding keeps the order: the nearest of a source stays it.
        nearest = min(one - way for one, way in zip(self._nearest, ways, strict=True))
        return Seen(self, distances, nearest)

    def of_sources(self, names: tuple[str, ...]) -> BoolArray | None:
        """Which points are of these sources; None: all are, or no names are given."""
        if not names:
            return None
        if names not in self._wanted:
            wanted = np.array([name in names for name in self._counts], dtype=bool)
            points = None if wanted.all() else np.repeat(wanted, list(self._counts.values()))
            self._wanted[names] = points
        return self._wanted[names]

    def near(self, bound: float, names: tuple[str, ...]) -> Array:
        """Points of these sources that were seen no farther from the footprint: shape (k, 2)."""
        if self.nearest > bound:
            return _NO_POINTS
        near, wanted = self.distances <= bound, self.of_sources(names)
        if wanted is not None:
            near &= wanted
        return self.xy.take(near.nonzero()[0], axis=1).T


class Seen:
    """The points as they count in one period."""

    def __init__(self, field: Field, distances: Array, nearest: float) -> None:
        """distances: shape (n,), age taken into account; nearest: the least of them."""
        self.field = field
        self.distances = distances
        self.nearest = nearest if len(distances) else None
        self._known: dict[Twist2D, Array] = {}

    def within(self, margin: float, names: tuple[str, ...]) -> int:
        """How many points of these sources are no farther from the footprint than this, m."""
        if self.nearest is None or self.nearest > margin:
            return 0
        inside, wanted = self.distances <= margin, self.field.of_sources(names)
        if wanted is not None:
            inside &= wanted
        return int(np.count_nonzero(inside))

    def rates(self, motion: Twist2D) -> Array:
        """How fast a motion closes each distance, m/s."""
        found = self._known.get(motion)
        if found is None:
            found = np.array((motion.vx, motion.vy, motion.wz)) @ self.field.closing
            self._known[motion] = found
        return found

    def boundaries(self, least: float, *motions: Twist2D) -> tuple[BaseBoundary, ...]:
        """Of the nearest point, and of those that each motion meets first."""
        if self.nearest is None:
            return ()
        left = self.distances - least
        chosen = {int(left.argmin()): None}
        for motion in dict.fromkeys(motions):
            rates = self.rates(motion)
            closing = (rates > STILL).nonzero()[0]
            if closing.size:
                times = left.take(closing) / rates.take(closing)
                chosen[int(closing[times.argmin()])] = None
        return tuple(self._boundary(i, float(left[i])) for i in chosen)

    def _boundary(self, index: int, left: float) -> BaseBoundary:
        x, y, w = self.field.closing[:, index].tolist()
        return BaseBoundary(x, y, w, left)


def _joined(parts: list[Array]) -> Array:
    """One after the other, along the last axis."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
