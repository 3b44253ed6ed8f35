"""Outlines of a base and of zones around it: a polygon, or a circle about its origin. Free of ROS.

Everything is in the base's frame, in m. A polygon may be listed in either sense and need not be
convex, but must not cross itself. Points are arrays of shape (n, 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class ShapeError(ValueError):
    """An outline that cannot be used; the message has what is accepted."""


@dataclass(frozen=True)
class Shape:
    """An outline: the points nearer than `radius` to the polygon, or to the origin without one.

    vertices: shape (m, 2), m >= 3, counter-clockwise; (0, 2) for a circle.
    radius: >= 0; above 0 for a circle. With a polygon it is how far this is inflated, with
    round corners.
    """

    vertices: Array
    radius: float = 0.0
    _edges: Array = field(init=False, repr=False, compare=False)
    _square_lengths: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        edges = np.roll(self.vertices, -1, axis=0) - self.vertices
        object.__setattr__(self, "_edges", edges)
        object.__setattr__(self, "_square_lengths", (edges**2).sum(axis=1))

    @staticmethod
    def polygon(flat: Sequence[float]) -> Shape:
        """From [x1, y1, x2, y2, ...].

        Raises:
            ShapeError: fewer than three points, an odd count, not finite, no area, crossing edges.
        """
        if len(flat) < 6 or len(flat) % 2:
            raise ShapeError(
                f"a polygon has {len(flat)} numbers; accepted: x and y of at least 3 points"
            )
        vertices = np.array(flat, dtype=np.float64).reshape(-1, 2)
        if not np.isfinite(vertices).all():
            raise ShapeError(f"polygon {list(flat)} is not finite; accepted: finite numbers, m")
        if _crosses_itself(vertices):
            raise ShapeError(f"polygon {list(flat)} crosses itself; accepted: edges that do not")
        area = _area(vertices)
        if abs(area) < 1e-9:
            raise ShapeError(f"polygon {list(flat)} has no area; accepted: points not in a line")
        return Shape(vertices if area > 0.0 else vertices[::-1].copy())

    @staticmethod
    def circle(radius: float) -> Shape:
        """A circle about the origin.

        Raises:
            ShapeError: the radius is not above 0.
        """
        if not (math.isfinite(radius) and radius > 0.0):
            raise ShapeError(f"radius is {radius!r} m; accepted: a finite number above 0")
        return Shape(np.empty((0, 2)), radius)

    def inflated(self, margin: float) -> Shape:
        """All points at most `margin` (>= 0) away from this."""
        return Shape(self.vertices, self.radius + margin)

    @cached_property
    def reach(self) -> float:
        """Distance of the farthest point from the origin: how fast turning moves it."""
        corners = np.hypot(self.vertices[:, 0], self.vertices[:, 1])
        return self.radius + (float(corners.max()) if len(corners) else 0.0)

    def contains(self, points: Array) -> BoolArray:
        """Which points are inside; points exactly on the edge may count as either."""
        if self.radius == 0.0 and self._convex:
            return self._behind_all_edges(points)
        return self.contains_xy(points[:, 0], points[:, 1])

    def contains_xy(self, x: Array, y: Array) -> BoolArray:
        """The same for x and y of any one shape."""
        if self.radius > 0.0:
            return np.asarray(self._square_distance(x, y) <= self.radius**2)
        return self._inside(x, y)

    def signed_distance(self, points: Array) -> Array:
        """Distance of each point from the outline, negative inside, shape (n,)."""
        return self.measure(points)[0]

    def measure(self, points: Array) -> tuple[Array, Array, Array]:
        """Signed distance of each point, and x and y of the way to it from the nearest point.

        That way is as long as the distance; inside it leads inwards. (On the edge of a polygon
        that is inflated there is no one way.)
        """
        x, y = np.ascontiguousarray(points.T)
        square, dx, dy = self._away(x, y)
        length = np.sqrt(square)
        signed = length
        if len(self.vertices):
            inside = self._behind_all_edges(points) if self._convex else self._inside(x, y)
            signed = np.where(inside, -length, length)
        if self.radius == 0.0:
            return signed, dx, dy
        # The outline lies by the radius on the way to the point; from the very middle, ahead.
        middle = signed == 0.0
        share = (signed - self.radius) / np.where(middle, 1.0, signed)
        dx = np.where(middle, -self.radius, dx * share)
        return signed - self.radius, dx, dy * share

    @cached_property
    def planes(self) -> tuple[Array, Array] | None:
        """Half-planes n·p <= c that hold it: n of shape (m, 2), c of shape (m,).

        Exact for a convex polygon; where that is inflated, they hold a little more than its round
        corners. None where it is a circle, or not convex.
        """
        if not len(self.vertices) or not self._convex:
            return None
        normals, offsets = self._edge_planes
        if self.radius == 0.0:
            return normals, offsets
        # A corner that is not sharp sticks out by little: at a right angle by 0.41 of the margin.
        before = np.roll(normals, 1, axis=0)
        sharp = (normals * before).sum(axis=1) < -1e-6
        corners = (normals + before)[sharp]
        corners /= np.hypot(corners[:, 0], corners[:, 1])[:, None]
        tips = (corners * self.vertices[sharp]).sum(axis=1)
        return (
            np.concatenate((normals, corners)),
            np.concatenate((offsets, tips)) + self.radius,
        )

    @cached_property
    def _edge_planes(self) -> tuple[Array, Array]:
        """Of each edge: the unit vector outwards, and how far out the edge lies."""
        normals = np.column_stack((self._edges[:, 1], -self._edges[:, 0]))
        normals /= np.sqrt(self._square_lengths)[:, None]
        return normals, (normals * self.vertices).sum(axis=1)

    def _behind_all_edges(self, points: Array) -> BoolArray:
        """Inside a convex polygon without its margin."""
        normals, offsets = self._edge_planes
        return np.asarray((normals @ points.T <= offsets[:, None]).all(axis=0))

    @cached_property
    def _convex(self) -> bool:
        following = np.roll(self._edges, -1, axis=0)
        turns = self._edges[:, 0] * following[:, 1] - self._edges[:, 1] * following[:, 0]
        return bool((turns >= 0.0).all())

    def _away(self, x: Array, y: Array) -> tuple[Array, Array, Array]:
        """Square distance from the polygon's outline (or the origin), and the way from there."""
        if not len(self.vertices):
            return x * x + y * y, x, y
        corners, edges = self.vertices[:, :, None], self._edges[:, :, None]
        px, py = x - corners[:, 0], y - corners[:, 1]
        share = px * edges[:, 0] + py * edges[:, 1]
        share *= 1.0 / self._square_lengths[:, None]
        np.minimum(np.maximum(share, 0.0, out=share), 1.0, out=share)
        px -= share * edges[:, 0]
        py -= share * edges[:, 1]
        square = px * px + py * py
        first = square.argmin(axis=0)
        each = np.arange(len(first))
        return square[first, each], px[first, each], py[first, each]

    def _inside(self, x: Array, y: Array) -> BoolArray:
        """Of the polygon without its margin."""
        inside: BoolArray
        if self._convex:
            inside = np.ones(np.shape(x), dtype=bool)
            for ax, ay, bx, by in self._segments:
                inside &= (y - ay) * (bx - ax) >= (x - ax) * (by - ay)
            return inside
        # A ray to the right crosses the outline an odd number of times.
        inside = np.zeros(np.shape(x), dtype=bool)
        for ax, ay, bx, by in self._segments:
            if ay != by:
                straddles = (y >= ay) != (y >= by)
                inside ^= straddles & (x < ax + (y - ay) * ((bx - ax) / (by - ay)))
        return inside

    @cached_property
    def _segments(self) -> list[tuple[float, float, float, float]]:
        """Both ends of each edge; exactly, or a ray could slip through between two."""
        ends = np.roll(self.vertices, -1, axis=0)
        return [tuple(row) for row in np.hstack((self.vertices, ends)).tolist()]

    def _square_distance(self, x: Array, y: Array) -> Array:
        """To the filled polygon, or to the origin."""
        if not len(self.vertices):
            return np.asarray(x * x + y * y)
        best = np.full(np.shape(x), np.inf)
        for (ax, ay), (ex, ey), square in zip(
            self.vertices.tolist(), self._edges.tolist(), self._square_lengths.tolist(), strict=True
        ):
            px, py = x - ax, y - ay
            share = np.minimum(np.maximum((px * ex + py * ey) * (1.0 / square), 0.0), 1.0)
            px -= share * ex
            py -= share * ey
            np.minimum(best, px * px + py * py, out=best)
        best[self._inside(x, y)] = 0.0
        return best


def _area(vertices: Array) -> float:
    """Positive where the points go counter-clockwise."""
    x, y = vertices[:, 0], vertices[:, 1]
    return 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))


def _crosses_itself(vertices: Array) -> bool:
    count = len(vertices)
    if len({(x, y) for x, y in vertices.tolist()}) != count:
        return True
    ends = np.roll(vertices, -1, axis=0)
    for i in range(count):
        for j in range(i + 2, count):
            if (j + 1) % count != i and _meet(vertices[i], ends[i], vertices[j], ends[j]):
                return True
    return False


def _meet(a: Array, b: Array, c: Array, d: Array) -> bool:
    def side(p: Array, q: Array, r: Array) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    crosses = side(a, b, c) * side(a, b, d) < 0.0 and side(c, d, a) * side(c, d, b) < 0.0
    touches = any(
        side(p, q, r) == 0.0
        and min(p[0], q[0]) <= r[0] <= max(p[0], q[0])
        and min(p[1], q[1]) <= r[1] <= max(p[1], q[1])
        for p, q, r in ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    )
    return crosses or touches
