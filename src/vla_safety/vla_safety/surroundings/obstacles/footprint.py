"""Outlines of a base and of zones around it: a polygon, or a circle about its origin. Free of ROS.

Everything is in the base's frame, in m. A polygon may be listed in either sense and need not be
convex, but must not cross itself. Points are arrays of shape (n, 2); where many are worked on,
x and y are apart, shape (2, n), as numpy is fastest along the last axis.
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
            return self._behind_all_edges(points.T)
        return self.contains_xy(points[:, 0], points[:, 1])

    def contains_xy(self, x: Array, y: Array) -> BoolArray:
        """The same for x and y of any one shape."""
        if self.radius > 0.0:
            return np.asarray(self._square_distance(x, y) <= self.radius**2)
        return self._inside(x, y)

    def signed_distance(self, points: Array) -> Array:
        """Distance of each point from the outline, negative inside, shape (n,)."""
        return self.measure(np.ascontiguousarray(points.T))[0]

    def measure(self, xy: Array) -> tuple[Array, Array]:
        """Signed distance of each point, and the way to it from the nearest point of the outline.

        xy: shape (2, n), as is the way. That is as long as the distance; inside it leads inwards.
        (On the edge of a polygon that is inflated there is no one way.)
        """
        square, way = self._away(xy)
        signed = np.sqrt(square)
        if len(self.vertices):
            self._negate_inside(signed, square, xy)
        if self.radius == 0.0:
            return signed, way
        # The outline lies by the radius on the way to the point; from the very middle, ahead.
        distance = signed - self.radius
        middle = signed == 0.0
        way = way * (distance / np.where(middle, 1.0, signed))
        way[0, middle] = -self.radius
        return distance, way

    def _negate_inside(self, signed: Array, square: Array, xy: Array) -> None:
        """Turn round the distances of points inside the polygon without its margin."""
        # Most points are farther from the outline than any point inside can be.
        deep = (square <= self._square_depth).nonzero()[0]
        if deep.size:
            x, y = few = xy.take(deep, axis=1)
            inside = self._behind_all_edges(few) if self._convex else self._inside(x, y)
            within = deep[inside]
            signed[within] = -signed[within]

    @cached_property
    def _square_depth(self) -> float:
        """No point inside the polygon is farther from its outline, squared: a circle fits there."""
        return _area(self.vertices) / math.pi * (1.0 + 1e-9)

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

    def _behind_all_edges(self, xy: Array) -> BoolArray:
        """Inside a convex polygon without its margin."""
        normals, offsets = self._edge_planes
        return np.logical_and.reduce(normals @ xy <= offsets[:, None], axis=0)

    @cached_property
    def _convex(self) -> bool:
        return bool((self._turns >= 0.0).all())

    @cached_property
    def _corners_only(self) -> bool:
        """Convex without a point along a straight side, where two edges are equally far out."""
        lengths = np.sqrt(self._square_lengths)
        return bool((self._turns > 1e-6 * lengths * np.roll(lengths, -1)).all())

    @cached_property
    def _turns(self) -> Array:
        """Sine of the turn from each edge to the next, times both lengths."""
        following = np.roll(self._edges, -1, axis=0)
        return np.asarray(self._edges[:, 0] * following[:, 1] - self._edges[:, 1] * following[:, 0])

    def _away(self, xy: Array) -> tuple[Array, Array]:
        """Square distance from the polygon's outline (or the origin), and the way from there."""
        if not len(self.vertices):
            product = xy * xy
            return product[0] + product[1], xy
        if not self._corners_only:
            return self._away_from_all(xy)
        # The nearest point is on the edge in front of which the point is farthest: beside a corner
        # on one of the two that meet there. So one edge for each point is looked at.
        normals, offsets = self._edge_planes
        heights = normals @ xy
        heights -= offsets[:, None]
        edges = self._edge_table.take(heights.argmax(axis=0), axis=1)
        way = xy - edges[:2]
        square = _from_edge(way, edges[2:4], edges[4])
        return square, way

    def _away_from_all(self, xy: Array) -> tuple[Array, Array]:
        """The same by the distance from every edge."""
        table = self._edge_table[:, :, None]
        ways = xy[:, None] - table[:2]
        squares = _from_edge(ways, table[2:4], table[4])
        first = squares.argmin(axis=0) * xy.shape[1] + np.arange(xy.shape[1])
        return squares.reshape(-1).take(first), ways.reshape(2, -1).take(first, axis=1)

    @cached_property
    def _edge_table(self) -> Array:
        """Of each edge: x and y of its first corner and of the edge, and 1 / length²."""
        return np.vstack((self.vertices.T, self._edges.T, 1.0 / self._square_lengths))

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


def _from_edge(way: Array, edge: Array, inverse: Array) -> Array:
    """Square distance of points from edges.

    way: from the edge's first corner to the point, shape (2, ...); afterwards from the edge's
    nearest point. edge: first to last corner. inverse: of the edge's square length.
    """
    product = way * edge
    share = product[0] + product[1]
    share *= inverse
    np.minimum(np.maximum(share, 0.0, out=share), 1.0, out=share)
    way -= share * edge
    np.multiply(way, way, out=product)
    return np.asarray(product[0] + product[1])


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
