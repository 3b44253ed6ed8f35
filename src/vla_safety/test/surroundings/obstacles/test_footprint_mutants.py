"""Outlines against a plain computation, point by point, off the origin and in any sense."""

import math

import numpy as np
import pytest

from vla_safety.surroundings.obstacles.footprint import (
    Shape,
    ShapeError,
    _area,
    _crosses_itself,
    _meet,
)

SKEW = [0.3, -0.2, 1.1, 0.1, 1.4, 0.9, 0.5, 0.7]  # convex, off the origin
CLOCKWISE = [0.5, 0.7, 1.4, 0.9, 1.1, 0.1, 0.3, -0.2]
HOOK = [-0.4, -0.5, 0.9, -0.3, 0.8, 0.2, 0.1, 0.0, 0.2, 0.8, -0.6, 0.6]  # not convex
# A rectangle with more points along its sides, and a nearly straight corner.
SIDES = [-0.4, -0.3, 0.1, -0.3, 0.5, -0.3, 0.5, 0.0, 0.5, 0.2, 0.2, 0.20001, -0.4, 0.2, -0.4, 0.1]
OUTLINES = {"skew": SKEW, "clockwise": CLOCKWISE, "hook": HOOK, "sides": SIDES}
GRID = np.array(
    [(x, y) for x in np.linspace(-1.03, 1.97, 25) for y in np.linspace(-1.07, 1.53, 23)]
)


def corners(flat):
    return list(zip(flat[::2], flat[1::2], strict=True))


def inside(flat, x, y):
    """Winding of the corners' directions about the point."""
    turned = 0.0
    points = corners(flat)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        turn = math.atan2(by - y, bx - x) - math.atan2(ay - y, ax - x)
        turned += math.remainder(turn, math.tau)
    return abs(turned) > 3.0


def nearest(flat, x, y):
    """(distance, nearest point) of the outline, over many points of it."""
    points = corners(flat)
    best = (math.inf, 0.0, 0.0)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        length = (bx - ax) ** 2 + (by - ay) ** 2
        share = min(1.0, max(0.0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length))
        px, py = ax + share * (bx - ax), ay + share * (by - ay)
        best = min(best, (math.hypot(x - px, y - py), px, py))
    return best


@pytest.mark.parametrize("name", OUTLINES)
def test_what_is_inside_is_told_in_every_way(name):
    flat = OUTLINES[name]
    shape = Shape.polygon(flat)
    expected = [inside(flat, x, y) for x, y in GRID]
    assert shape.contains(GRID).tolist() == expected
    assert shape.contains_xy(GRID[:, 0], GRID[:, 1]).tolist() == expected
    assert (shape.signed_distance(GRID) < 0.0).tolist() == expected


def test_what_is_inside_is_told_at_the_height_of_a_corner_too():
    shape = Shape.polygon(HOOK)
    points = np.array([(x, y) for y in HOOK[1::2] for x in np.linspace(-0.97, 1.03, 41)])
    clear = np.array([nearest(HOOK, x, y)[0] > 1e-6 for x, y in points])
    expected = np.array([inside(HOOK, x, y) for x, y in points])
    assert 20 < expected[clear].sum() < clear.sum() - 20
    assert (shape.contains(points) == expected)[clear].all()


@pytest.mark.parametrize("margin", [0.0, 0.13, 1.0])
@pytest.mark.parametrize("name", OUTLINES)
def test_distance_and_way_are_those_to_the_nearest_point(name, margin):
    flat = OUTLINES[name]
    shape = Shape.polygon(flat).inflated(margin)
    signed, (dx, dy) = shape.measure(GRID.T)
    for k, (x, y) in enumerate(GRID):
        distance, px, py = nearest(flat, x, y)
        within = inside(flat, x, y)
        assert signed[k] == pytest.approx((-distance if within else distance) - margin)
        assert math.hypot(dx[k], dy[k]) == pytest.approx(abs(signed[k]), abs=1e-12)
        if distance > 1e-6 and abs(signed[k]) > 1e-6:
            # The way leads along the line from the nearest point of the polygon to the point.
            across = dx[k] * (y - py) - dy[k] * (x - px)
            assert across == pytest.approx(0.0, abs=1e-9)
    assert shape.contains(GRID).tolist() == (signed <= 0.0).tolist()


def test_a_circle_is_measured_from_its_middle():
    shape = Shape.circle(0.5)
    points = np.array([[0.0, 0.0], [0.3, 0.4], [0.6, 0.8], [0.0, 0.5]])
    signed, (dx, dy) = shape.measure(points.T)
    assert signed == pytest.approx([-0.5, 0.0, 0.5, 0.0])
    assert (dx[0], dy[0]) == (-0.5, 0.0)
    assert (dx[2], dy[2]) == pytest.approx((0.3, 0.4))
    assert shape.contains(points).tolist() == [True, True, False, True]
    assert shape.vertices.shape == (0, 2) and shape.planes is None and shape.reach == 0.5


@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_planes_hold_the_shape_and_little_more(margin):
    shape = Shape.polygon(SKEW).inflated(margin)
    normals, offsets = shape.planes
    below = (offsets + 1e-12 >= GRID @ normals.T).all(axis=1)
    signed = shape.signed_distance(GRID)
    assert below[signed <= 0.0].all()
    assert not below[signed > 0.42 * margin + 1e-9].any()
    assert np.hypot(*normals.T) == pytest.approx(1.0)
    assert Shape.polygon(HOOK).planes is None


def test_area_sense_and_reach():
    assert _area(np.array(corners([0.0, 0.0, 2.0, 0.0, 2.0, 1.0, 0.0, 1.0]))) == pytest.approx(2.0)
    assert _area(np.array(corners(CLOCKWISE))) == pytest.approx(-_area(np.array(corners(SKEW))))
    for flat in (SKEW, CLOCKWISE):
        assert _area(Shape.polygon(flat).vertices) > 0.0
    assert Shape.polygon(SKEW).reach == pytest.approx(math.hypot(1.4, 0.9))


def test_whole_numbers_make_a_shape_too():
    shape = Shape.polygon([0, 0, 2, 0, 2, 1, 0, 1])
    assert shape.vertices.dtype == np.float64
    assert shape.contains(np.array([[0.5, 0.5], [2.5, 0.5]])).tolist() == [True, False]


def test_the_least_area():
    tiny = 1e-9
    Shape.polygon([0.0, 0.0, 2.0, 0.0, 0.0, tiny])
    with pytest.raises(ShapeError, match="has no area"):
        Shape.polygon([0.0, 0.0, 2.0, 0.0, 0.0, 0.99 * tiny])


SEGMENTS = [
    ((1.0, 1.0), (3.0, 2.0), (2.0, 0.5), (1.5, 3.0), True),  # cross
    ((1.0, 1.0), (3.0, 2.0), (4.0, 0.5), (3.5, 3.0), False),  # the first ends before
    ((1.0, 1.0), (3.0, 2.0), (2.0, 0.5), (2.2, 1.0), False),  # the second ends before
    ((1.0, 1.0), (3.0, 2.0), (2.0, 1.5), (1.5, 3.0), True),  # the second begins on the first
    ((1.0, 1.0), (3.0, 2.0), (1.5, 3.0), (2.0, 1.5), True),  # it ends there
    ((2.0, 1.5), (1.5, 3.0), (1.0, 1.0), (3.0, 2.0), True),
    ((1.5, 3.0), (2.0, 1.5), (1.0, 1.0), (3.0, 2.0), True),
    ((1.0, 1.0), (3.0, 2.0), (5.0, 3.0), (6.0, 1.0), False),  # in line, but beyond
    ((1.0, 1.0), (3.0, 2.0), (-1.0, 0.0), (-3.0, 2.0), False),  # in line, but before
    ((5.0, 3.0), (6.0, 1.0), (1.0, 1.0), (3.0, 2.0), False),
    ((1.0, 2.0), (1.0, 4.0), (1.0, 5.0), (3.0, 5.0), False),  # upright, beyond
    ((1.0, 2.0), (1.0, 4.0), (1.0, 1.0), (3.0, 1.0), False),  # upright, before
    ((1.0, 2.0), (1.0, 4.0), (1.0, 3.0), (3.0, 5.0), True),  # upright, from its middle
    ((1.0, 1.0), (5.0, 3.0), (4.0, 2.5), (4.0, 5.0), True),  # from near its end
    ((1.0, 2.0), (1.0, 4.0), (1.0, 4.0), (3.0, 5.0), True),  # end to end
    ((2.0, 1.0), (4.0, 1.0), (4.0, 1.0), (5.0, 3.0), True),
    ((2.0, 1.0), (4.0, 1.0), (5.0, 1.0), (6.0, 3.0), False),  # level, beyond
    ((2.0, 1.0), (4.0, 1.0), (1.0, 1.0), (0.0, 3.0), False),
    ((2.0, 1.0), (4.0, 1.0), (3.0, 2.0), (3.0, 3.0), False),
]


@pytest.mark.parametrize(("a", "b", "c", "d", "meet"), SEGMENTS)
def test_segments_meet_or_not_in_either_order(a, b, c, d, meet):
    for p, q in ((a, b), (b, a)):
        for r, s in ((c, d), (d, c)):
            assert _meet(np.array(p), np.array(q), np.array(r), np.array(s)) is meet


@pytest.mark.parametrize(
    ("flat", "crosses"),
    [
        (HOOK, False),
        (SKEW, False),
        ([0.0, 0.0, 2.0, 2.0, 2.0, 0.0, 0.0, 2.0], True),
        ([0.0, 0.0, 4.0, 0.0, 4.0, 3.0, 2.0, 0.0, 0.0, 3.0], True),  # a corner on an edge
        ([0.0, 0.0, 4.0, 0.0, 4.0, 3.0, 0.0, 0.0], True),  # a corner twice
        ([1.0, 1.0, 5.0, 1.0, 5.0, 4.0, 3.0, 0.5, 1.0, 4.0], True),
        ([0.0, 0.0, 3.0, 0.0, 3.0, 4.0, 0.0, 2.0, 3.0, 1.0], True),  # on an upright edge
    ],
)
def test_crossing_outlines_are_found(flat, crosses):
    assert _crosses_itself(np.array(corners(flat))) is crosses
