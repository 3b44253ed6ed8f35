"""Convex shapes for distances: primitives as they are, meshes as hulls. Free of ROS."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_safety.arm.arm_geometry import ArmError, Solid

Array = npt.NDArray[np.float64]
# A hull of more vertices than this is replaced by one of so many faces around it.
MOST_VERTICES, FACES = 64, 48


def hull(coal: Any, vertices: Array, what: str) -> Any:
    """The convex hull of a mesh, or a simpler polyhedron that contains it.

    Raises:
        ArmError: the mesh has no volume.
    """
    from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

    try:
        outer = vertices[ConvexHull(vertices).vertices]
        if len(outer) > MOST_VERTICES:
            directions = _directions()
            planes = np.c_[directions, -(outer @ directions.T).max(axis=0)]
            corners = HalfspaceIntersection(planes, outer.mean(axis=0)).intersections
            outer = corners[ConvexHull(corners).vertices]
        faces = ConvexHull(outer)
    except (QhullError, ValueError) as error:
        raise ArmError(f"{what} has no volume; accepted: a mesh with a convex hull") from error
    return _polyhedron(coal, outer, faces.simplices, faces.equations[:, :3])


def _polyhedron(coal: Any, vertices: Array, triangles: Any, normals: Array) -> Any:
    points, faces = coal.StdVec_Vec3s(), coal.StdVec_Triangle()
    for vertex in vertices:
        points.append(vertex)
    for (a, b, c), normal in zip(triangles.tolist(), normals, strict=True):
        # Each face counter-clockwise, seen from outside.
        if np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a]) @ normal < 0.0:
            b, c = c, b
        faces.append(coal.Triangle(a, b, c))
    return coal.Convex(points, faces)


def _directions() -> Array:
    """Evenly spread unit vectors, and the axes; shape (FACES, 3)."""
    k = np.arange(FACES - 6) + 0.5
    z = 1.0 - 2.0 * k / (FACES - 6)
    angle = math.pi * (1.0 + math.sqrt(5.0)) * k
    ring = np.sqrt(1.0 - z * z)
    spread = np.stack((ring * np.cos(angle), ring * np.sin(angle), z), axis=1)
    return np.concatenate((spread, np.eye(3), -np.eye(3)))


def solid(coal: Any, shape: Solid) -> Any:
    """A plane as the half-space behind it, a box, or a cylinder."""
    if shape.kind == "plane":
        *normal, offset = shape.sizes
        return coal.Halfspace(np.array(normal), offset)
    return (coal.Box if shape.kind == "box" else coal.Cylinder)(*shape.sizes)


def ball(shape: Any) -> tuple[Array, float]:
    """Centre and radius of a ball around a shape, in its own frame, m."""
    shape.computeLocalAABB()
    centre = np.array(shape.aabb_center).ravel()
    if not hasattr(shape, "points"):
        return centre, float(shape.aabb_radius)
    return centre, float(np.linalg.norm(np.array(shape.points()) - centre, axis=1).max())
