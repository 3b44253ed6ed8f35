"""The surface of a shape as triangles, to be drawn. Free of ROS."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
_AROUND = 24  # corners of a circle


def triangles(shape: Any, extent: float) -> Array:
    """Of a shape of coal, in its frame, shape (n, 3, 3), m. extent: half of a plane's side, m."""
    from scipy.spatial import ConvexHull

    if type(shape).__name__ == "Halfspace":
        return _square(np.array(shape.n).ravel(), float(shape.d), extent)
    corners = _corners(shape)
    return np.asarray(corners[ConvexHull(corners).simplices])


def _corners(shape: Any) -> Array:
    kind = type(shape).__name__
    if kind == "Box":
        half = np.array(shape.halfSide).ravel()
        return np.array(np.meshgrid(*zip(-half, half, strict=True))).reshape(3, 8).T
    angles = np.linspace(0.0, 2.0 * math.pi, _AROUND, endpoint=False)
    if kind == "Cylinder":
        ring = np.stack((np.cos(angles), np.sin(angles)), axis=1) * float(shape.radius)
        height = np.full((_AROUND, 1), float(shape.halfLength))
        return np.concatenate((np.hstack((ring, height)), np.hstack((ring, -height))))
    if kind == "Sphere":
        z = np.repeat(np.linspace(-1.0, 1.0, _AROUND // 2), _AROUND)
        around, flat = np.tile(angles, _AROUND // 2), np.sqrt(1.0 - z * z)
        ball = np.stack((flat * np.cos(around), flat * np.sin(around), z), axis=1)
        return np.unique(ball.round(12), axis=0) * float(shape.radius)
    return np.array(shape.points())


def _square(normal: Array, offset: float, extent: float) -> Array:
    """A part of a plane about the point of it that is nearest to the origin."""
    across = np.cross(normal, np.eye(3)[int(np.abs(normal).argmin())])
    across /= np.linalg.norm(across)
    other = np.cross(normal, across)
    corners = [
        offset * normal + extent * (a * across + b * other)
        for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))
    ]
    return np.array([[corners[i] for i in three] for three in ((0, 1, 2), (0, 2, 3))])
