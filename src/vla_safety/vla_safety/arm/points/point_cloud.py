"""Points as occupied voxels, and how near a shape is to them. Free of ROS.

Every voxel with a point in it counts as a ball around it, so that none of its points is farther
out, however many there were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_safety.arm.points.outlines import Outline

Array = npt.NDArray[np.float64]
# m: what is farther away from a shape than this is told of by the ball around the shape alone.
NEAR = 0.05
NOTHING = 1e3  # m, of the distance where there are no points
_MOST_VOXELS = 1 << 26  # of the room that is looked at


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
        self._tree = _tree(voxels.centres) if len(voxels.centres) else None

    def distance(self, shape: Outline, rotation: Array, translation: Array) -> float:
        """A distance, m, that a shape at this place has at least; exact where it is near."""
        centre = rotation @ shape.centre + translation
        if self._tree is None:
            return NOTHING
        farther = float(self._tree.query(centre)[0]) - shape.radius - self.radius
        if farther > NEAR:
            return farther
        local, _ = self._beside(shape, centre, rotation, translation, NEAR)
        if not len(local):
            return NEAR
        return min(float(shape.distances(local).min()) - self.radius, NEAR)

    def nearest(self, shape: Outline, rotation: Array, translation: Array) -> Array | None:
        """The middle of the voxel that is nearest to a shape which is near; else None."""
        if self._tree is None:
            return None
        centre = rotation @ shape.centre + translation
        local, which = self._beside(shape, centre, rotation, translation, NEAR)
        if not which:
            return None
        return np.asarray(self.centres[which[int(shape.distances(local).argmin())]])

    def covered(
        self, shape: Outline, rotation: Array, translation: Array, distance: float
    ) -> npt.NDArray[np.intp]:
        """Which voxels reach nearer than `distance` to a shape."""
        if self._tree is None:
            return np.empty(0, dtype=np.intp)
        centre = rotation @ shape.centre + translation
        local, which = self._beside(shape, centre, rotation, translation, distance)
        near = shape.distances(local) < distance + self.radius
        return np.array(which, dtype=np.intp)[near]

    def without(self, which: npt.NDArray[np.intp]) -> PointCloud:
        """A cloud that lacks these voxels."""
        if not len(which):
            return self
        return PointCloud(Voxels(np.delete(self.centres, which, axis=0), self.radius))

    def _beside(
        self, shape: Outline, centre: Array, rotation: Array, translation: Array, distance: float
    ) -> tuple[Array, list[int]]:
        """Voxels within `distance` of the ball around a shape, in its frame; their numbers."""
        assert self._tree is not None
        which = self._tree.query_ball_point(centre, shape.radius + self.radius + distance)
        return (self.centres[which] - translation) @ rotation, which


def _tree(points: Array) -> Any:
    from scipy.spatial import cKDTree

    return cKDTree(points)
