"""Points as occupied voxels, and how near a shape is to them. Free of ROS.

Every voxel with a point in it counts as a ball around it, so that none of its points is farther
out, however many there were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from vla_safety.arm.points.outlines import Outline

Array = npt.NDArray[np.float64]
# m: what is farther away from a shape than this is told of by the ball around the shape alone.
NEAR = 0.05
NOTHING = 1e3  # m, of the distance where there are no points
_MOST_VOXELS = 1 << 26  # of the room that is looked at


class Place(NamedTuple):
    """A shape where it is: its frame's rotation, shape (3, 3), and origin, shape (3,), m."""

    shape: Outline
    rotation: Array
    origin: Array

    @property
    def centre(self) -> Array:
        """Of the ball around it."""
        return np.asarray(self.rotation @ self.shape.centre + self.origin)

    def distances(self, points: Array) -> Array:
        """Of points, shape (n, 3); see `Outline`."""
        return self.shape.distances((points - self.origin) @ self.rotation)


@dataclass(frozen=True)
class Voxels:
    """centres: shape (n, 3), m. radius: of the ball around a voxel, m."""

    centres: Array
    radius: float


def occupied(points: Array, reach: float, size: float, most: int) -> Voxels:
    """The voxels that hold points within `reach` of the origin along each axis.

    points: shape (n, 3), m. size: of a voxel's side, m, or more where more than `most` are
    occupied, or where the room has too many of them.
    """
    size = max(size, 2.0 * reach / round(_MOST_VOXELS ** (1.0 / 3.0)))
    x, y, z = points.T
    if len(points):
        inside = (np.abs(x) < reach) & (np.abs(y) < reach) & (np.abs(z) < reach)
        if not inside.all():
            chosen = inside.nonzero()[0]
            x, y, z = x.take(chosen), y.take(chosen), z.take(chosen)
    while True:
        centres = _centres(x, y, z, reach, size)
        if len(centres) <= most:
            return Voxels(centres, 0.5 * math.sqrt(3.0) * size)
        x, y, z = centres.T
        size *= 2.0  # a voxel of twice the side holds eight of these whole


def _centres(x: Array, y: Array, z: Array, reach: float, size: float) -> Array:
    side = math.ceil(2.0 * reach / size) + 1
    number = np.zeros(len(x), dtype=np.int32)
    for axis in (x, y, z):
        number *= side
        number += ((axis + reach) / size).astype(np.int32)
    taken = np.zeros(side**3, dtype=bool)
    taken[number] = True
    found = taken.nonzero()[0]
    rows = np.stack((found // side**2, found // side % side, found % side), axis=1)
    return np.asarray((rows + 0.5) * size - reach)


class PointCloud:
    """What one message of a source shows, in the frame of the arm's root link."""

    def __init__(self, voxels: Voxels) -> None:
        self.centres, self.radius = voxels.centres, voxels.radius
        self._axes = np.ascontiguousarray(self.centres.T)
        self._tree = _tree(voxels.centres) if len(voxels.centres) else None

    def distances(self, places: Sequence[Place]) -> list[float]:
        """Distances, m, that shapes have at least where they are; exact where they are near."""
        if self._tree is None:
            return [NOTHING] * len(places)
        centres = np.array([place.centre for place in places])
        around = np.array([place.shape.radius for place in places]) + self.radius
        beyond = self._tree.query(centres)[0] - around
        found: list[float] = beyond.tolist()
        for i in (beyond <= NEAR).nonzero()[0].tolist():
            found[i] = NEAR
            which = self._within(centres[i], around[i] + NEAR)
            if which.size:
                apart = places[i].distances(self.centres.take(which, axis=0))
                found[i] = min(float(apart.min()) - self.radius, NEAR)
        return found

    def _within(self, centre: Array, distance: float) -> npt.NDArray[np.intp]:
        """Voxels with their middle no farther from a point; the tree would make a list of them."""
        way = self._axes - centre[:, None]
        way *= way
        return (way.sum(axis=0) <= distance * distance).nonzero()[0]

    def covered(self, place: Place, distance: float) -> npt.NDArray[np.intp]:
        """Which voxels reach nearer than `distance` to a shape where it is."""
        if self._tree is None:
            return np.empty(0, dtype=np.intp)
        farthest = distance + self.radius
        which = self._within(place.centre, place.shape.radius + farthest)
        return which[place.distances(self.centres.take(which, axis=0)) < farthest]

    def without(self, which: npt.NDArray[np.intp]) -> PointCloud:
        """A cloud that lacks these voxels."""
        if not len(which):
            return self
        return PointCloud(Voxels(np.delete(self.centres, which, axis=0), self.radius))


def _tree(points: Array) -> Any:
    from scipy.spatial import cKDTree

    return cKDTree(points)
