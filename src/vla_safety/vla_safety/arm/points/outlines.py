"""How far points are from a convex shape, all of them at once. Free of ROS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_safety.arm import convex_shapes

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outline:
    """A shape in its own frame, and a ball around it.

    distances: of points, shape (n, 3), from the shape, shape (n,), m; below 0 inside. Of a
    polyhedron it is that from the plane of the face which is farthest out, which is never more
    than the distance and is less beside edges and corners.
    """

    centre: Array
    radius: float
    distances: Callable[[Array], Array]


def outline(shape: Any) -> Outline:
    """Of a shape of coal: a box, cylinder, sphere or convex polyhedron.

    Raises:
        TypeError: it is none of these.
    """
    centre, radius = convex_shapes.ball(shape)
    return Outline(centre, radius, _distances(shape))


def _distances(shape: Any) -> Callable[[Array], Array]:
    kind = type(shape).__name__
    if kind == "Box":
        half = np.array(shape.halfSide).ravel()
        return lambda points: _from_box(np.abs(points) - half)
    if kind == "Cylinder":
        sizes = np.array((float(shape.radius), float(shape.halfLength)))

        def from_cylinder(points: Array) -> Array:
            out = np.hypot(points[:, 0], points[:, 1]), np.abs(points[:, 2])
            return _from_box(np.stack(out, axis=1) - sizes)

        return from_cylinder
    if kind == "Sphere":
        radius = float(shape.radius)
        return lambda points: np.asarray(np.linalg.norm(points, axis=1) - radius)
    if hasattr(shape, "points"):
        normals, offsets = _faces(np.array(shape.points()))
        return lambda points: np.asarray((points @ normals + offsets).max(axis=1))
    raise TypeError(f"{kind} is no box, cylinder, sphere or convex polyhedron")


def _from_box(beyond: Array) -> Array:
    """beyond: how far along each axis a point is beyond a face, shape (n, axes)."""
    outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=1)
    return np.asarray(outside + np.minimum(beyond.max(axis=1), 0.0))


def _faces(corners: Array) -> tuple[Array, Array]:
    """Normals, shape (3, faces), and offsets of the planes of a hull, each once."""
    from scipy.spatial import ConvexHull

    planes = np.unique(ConvexHull(corners).equations.round(9), axis=0)
    return np.ascontiguousarray(planes[:, :3].T), planes[:, 3]
