"""When an outline that drives on with a constant velocity meets points. Free of ROS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_safety.surroundings.obstacles.base_kinematics import Array, Twist2D, along_path
from vla_safety.surroundings.obstacles.footprint import BoolArray, Shape

# Of so many poses one is looked at to tell which points are near the path.
_EVERY = 4


@dataclass(frozen=True)
class Path:
    """Where an outline is at each moment.

    poses: x, y, cos and sin of the heading, shape (4, poses, 1). centres: x and y of some of
    them, shape (2, k, 1); spread: nothing of the outline is farther from all of them, m².
    planes: the outline is where normals·p <= bounds, shapes (poses * m, 2) and (poses * m, 1);
    None where it is not described by half-planes.
    """

    poses: Array
    centres: Array
    spread: float
    planes: tuple[Array, Array] | None


class Lookahead:
    """One outline, looked ahead at the same moments for one velocity after the other."""

    def __init__(self, shape: Shape, times: Array, step: float) -> None:
        """times: of the poses, s; step: between two of them, s."""
        self._shape = shape
        self._times = times
        self._step = step
        self._twist: Twist2D | None = None
        self._path: Path

    def first_hit(self, xy: Array, twist: Twist2D, least: int) -> int | None:
        """Index of the first moment at which at least so many points are inside.

        xy: shape (2, n).
        """
        # A base often keeps its velocity, or stands still, for many periods.
        if twist != self._twist:
            self._path, self._twist = self._along(twist), twist
        xy = _near(self._path, xy)
        if xy.shape[1] < least:
            return None
        hits = self._inside(self._path, xy)
        if least > 1:
            hits = np.add.reduce(hits, axis=1, keepdims=True) >= least
        # The first one that is true, of all moments one after the other.
        first, point = divmod(int(hits.argmax()), hits.shape[1])
        return first if hits[first, point] else None

    def _along(self, twist: Twist2D) -> Path:
        poses = along_path(twist, self._times)[:, :, None]
        # Every few poses are looked at, with the way between them added.
        spread = self._shape.reach + 0.5 * _EVERY * twist.linear * self._step
        some = np.concatenate((poses[:2, _EVERY // 2 :: _EVERY], poses[:2, -1:]), axis=1)
        return Path(poses, some, spread * spread * (1.0 + 1e-9), self._planes(poses))

    def _planes(self, poses: Array) -> tuple[Array, Array] | None:
        """The outline's half-planes at every pose: there are fewer of them than points."""
        if self._shape.planes is None:
            return None
        x, y, cos, sin = poses
        normals, offsets = self._shape.planes
        # As complex numbers x + iy, which turn by a product.
        turned = (cos + 1j * sin) * normals.view(np.complex128)[:, 0]
        bounds = offsets + (turned * (x - 1j * y)).real
        return turned.view(np.float64).reshape(-1, 2), bounds.reshape(-1, 1)

    def _inside(self, path: Path, xy: Array) -> BoolArray:
        """Which points are inside the outline at each pose, shape (poses, n)."""
        if path.planes is None:
            x, y, cos, sin = path.poses
            dx, dy = xy[0] - x, xy[1] - y
            return self._shape.contains_xy(dx * cos + dy * sin, dy * cos - dx * sin)
        normals, bounds = path.planes
        below = normals @ xy <= bounds
        poses = path.poses.shape[1]
        return np.logical_and.reduce(below.reshape(poses, -1, xy.shape[1]), axis=1)


def _near(path: Path, xy: Array) -> Array:
    """Points that the outline may touch on its way."""
    away = xy[:, None] - path.centres
    away *= away
    square = np.minimum.reduce(away[0] + away[1], axis=0)
    return xy.take((square <= path.spread).nonzero()[0], axis=1)
