"""Outlines, against brute force: many points on the edges, and rays in other directions."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vla_safety.surroundings.obstacles.footprint import Shape, ShapeError

SQUARE = Shape.polygon([0.5, 0.5, 0.5, -0.5, -0.5, -0.5, -0.5, 0.5])
L_SHAPE = Shape.polygon([1, 1, 1, 0, 2, 0, 2, -1, -1, -1, -1, 1])

coordinates = st.floats(-3.0, 3.0)
points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=20).map(np.array)


@st.composite
def polygons(draw):
    """Star-shaped, so never crossing itself; convex or not."""
    angles = sorted(draw(st.lists(st.floats(0.0, 6.2), min_size=3, max_size=8)))
    gaps = np.diff([*angles, angles[0] + 2 * math.pi])
    assume(gaps.min() > 0.1)
    assume(gaps.max() < math.pi - 0.1)
    radii = [draw(st.floats(0.2, 2.0)) for _ in angles]
    corners = [(r * math.cos(a), r * math.sin(a)) for a, r in zip(angles, radii, strict=True)]
    if draw(st.booleans()):
        corners.reverse()
    return Shape.polygon([value for corner in corners for value in corner])


shapes = st.one_of(polygons(), st.floats(0.1, 2.0).map(Shape.circle), st.just(L_SHAPE))


def edge_points(shape, count=400):
    if not len(shape.vertices):
        angles = np.linspace(0.0, 2 * math.pi, 4 * count)
        return shape.radius * np.column_stack((np.cos(angles), np.sin(angles)))
    ends = np.roll(shape.vertices, -1, axis=0)
    shares = np.linspace(0.0, 1.0, count)[:, None]
    return np.concatenate([a + shares * (b - a) for a, b in zip(shape.vertices, ends, strict=True)])


def winds_around(shape, point):
    """The angle under which the outline is seen sums up to a whole turn from inside only."""
    if not len(shape.vertices):
        return math.hypot(*point) <= shape.radius
    ways = shape.vertices - point
    angles = np.arctan2(ways[:, 1], ways[:, 0])
    turns = np.diff(np.append(angles, angles[0]))
    return abs(((turns + math.pi) % (2 * math.pi) - math.pi).sum()) > math.pi


@given(shapes, points)
def test_distance_and_inside(shape, points):
    edge = edge_points(shape)
    distances = shape.signed_distance(points)
    inside = shape.contains(points)
    for point, distance, is_inside in zip(points, distances, inside, strict=True):
        brute = np.hypot(*(edge - point).T).min()
        assert abs(distance) == pytest.approx(brute, abs=0.01)
        if abs(distance) > 1e-6:
            assert is_inside == winds_around(shape, point) == (distance < 0.0)


@given(shapes, st.sampled_from([0.0, 0.3]), points)
def test_the_way_from_the_nearest_point_is_as_long_as_the_distance(shape, margin, points):
    if margin:  # of an inflated polygon only from outside
        points = points[shape.signed_distance(points) > margin]
        shape = shape.inflated(margin)
    distances, (dx, dy) = shape.measure(points.T)
    nearest = points - np.column_stack((dx, dy))
    assert np.allclose(shape.signed_distance(nearest), 0.0, atol=1e-7)
    assert np.allclose(np.hypot(dx, dy), np.abs(distances), atol=1e-9)


@given(shapes, st.floats(0.01, 1.0), points)
def test_inflated_is_all_that_is_no_farther_than_the_margin(shape, margin, points):
    plain = shape.signed_distance(points)
    bigger = shape.inflated(margin)
    outside = plain >= 0.0
    assert np.allclose(bigger.signed_distance(points)[outside], plain[outside] - margin, atol=1e-9)
    clear = np.abs(plain - margin) > 1e-6
    assert (bigger.contains(points) == (plain <= margin))[clear].all()
    assert bigger.reach == pytest.approx(shape.reach + margin)


@given(shapes, st.sampled_from([0.0, 0.3]), points)
def test_planes_hold_the_shape_and_little_more(shape, margin, points):
    shape = shape.inflated(margin)
    if shape.planes is None:
        return
    normals, offsets = shape.planes
    within = (points @ normals.T <= offsets).all(axis=1)
    distances = shape.signed_distance(points)
    assert within[distances < -1e-9].all()
    assert not within[distances > 0.42 * margin + 1e-9].any()


def test_planes_are_there_for_convex_polygons_only():
    assert SQUARE.planes is not None
    assert L_SHAPE.planes is None
    assert Shape.circle(1.0).planes is None


def test_the_listed_sense_does_not_matter():
    turned = Shape.polygon([-0.5, 0.5, -0.5, -0.5, 0.5, -0.5, 0.5, 0.5])
    some = np.array([[0.7, 0.1], [0.1, 0.2], [-3.0, 0.5]])
    assert np.allclose(SQUARE.signed_distance(some), turned.signed_distance(some))


def test_known_distances():
    some = np.array([[1.0, 0.0], [0.8, 0.9], [0.0, 0.0], [0.4, 0.0]])
    assert SQUARE.signed_distance(some) == pytest.approx([0.5, 0.5, -0.5, -0.1])
    assert Shape.circle(0.5).signed_distance(some[:1]) == pytest.approx([0.5])
    assert SQUARE.reach == pytest.approx(math.sqrt(0.5))


def test_no_points_are_no_trouble():
    none = np.empty((0, 2))
    for shape in (SQUARE, Shape.circle(1.0), SQUARE.inflated(0.1)):
        assert shape.signed_distance(none).shape == (0,)
        assert shape.contains(none).shape == (0,)


@pytest.mark.parametrize(
    ("flat", "message"),
    [
        ([0, 0, 1, 0], "has 4 numbers"),
        ([0, 0, 1, 0, 1], "has 5 numbers"),
        ([0, 0, 1, 0, 2, 0], "no area"),
        ([0, 0, 1, math.nan, 2, 0], "not finite"),
        ([0, 0, 1, 1, 1, 0, 0, 1], "crosses itself"),
        ([0, 0, 1, 0, 0, 0, 0, 1], "crosses itself"),
    ],
)
def test_what_is_no_polygon(flat, message):
    with pytest.raises(ShapeError, match=message) as caught:
        Shape.polygon(flat)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("radius", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_circle(radius):
    with pytest.raises(ShapeError, match="accepted"):
        Shape.circle(radius)
