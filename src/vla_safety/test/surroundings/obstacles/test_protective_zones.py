"""Zones: what they ask for, and when a collision comes, against brute force in small steps."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_safety.surroundings.obstacles.base_kinematics import Pose2D, Twist2D, into_frame, project
from vla_safety.surroundings.obstacles.footprint import Shape
from vla_safety.surroundings.obstacles.protective_zones import (
    Action,
    Zone,
    approach,
    limiting_ratio,
    outcome_of,
    time_to_collision,
)

SQUARE = Shape.polygon([0.5, 0.5, 0.5, -0.5, -0.5, -0.5, -0.5, 0.5])
L_SHAPE = Shape.polygon([1, 1, 1, 0, 2, 0, 2, -1, -1, -1, -1, 1])
SHAPES = (SQUARE, L_SHAPE, Shape.circle(0.6), SQUARE.inflated(0.2))


def zone(action=Action.APPROACH, shape=SQUARE, **changes):
    values = {"time_before_collision": 1.0, "simulation_time_step": 0.01, **changes}
    return Zone("zone", action, shape, **values)


@pytest.mark.parametrize(
    ("twist", "points", "time"),
    [
        (Twist2D(0.5), [(0.7, -0.01), (0.7, 0.01)], 0.4),
        (Twist2D(-0.5), [(-0.7, -0.01), (-0.7, 0.01)], 0.4),
        (Twist2D(vy=0.5), [(-0.01, 0.6), (0.01, 0.6)], 0.2),
        (Twist2D(wz=1.0), [(0.49, -0.01), (0.49, 0.01)], 0.0),
        (Twist2D(0.5), [(0.1, -0.01), (0.1, 0.01)], 0.0),
    ],
)
def test_time_to_collision_as_nav2_expects_it(twist, points, time):
    """polygons_test.cpp, testPolygonGetCollisionTime."""
    found = time_to_collision(zone(min_points=2), np.array(points), twist)
    assert found == pytest.approx(time, abs=0.0101)


def test_no_collision():
    """polygons_test.cpp, the last case of testPolygonGetCollisionTime."""
    points = np.array([(1.1, -0.01), (1.1, 0.01)])
    assert time_to_collision(zone(min_points=2), points, Twist2D(0.5)) is None
    assert approach(zone(min_points=2), points, Twist2D(0.5)) is None


@settings(max_examples=60)
@given(
    st.sampled_from(SHAPES),
    st.builds(Twist2D, *[st.floats(-1.5, 1.5)] * 3),
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=1, max_size=12),
    st.integers(1, 3),
    st.sampled_from([0.05, 0.1, 0.3]),
)
def test_it_is_the_last_free_moment(shape, twist, points, least, step):
    points = np.array(points)
    checked = zone(shape=shape, min_points=least, simulation_time_step=step)
    found = time_to_collision(checked, points, twist)
    # The corners of an inflated shape may count as sharp: at a right angle, 0.414 of the margin.
    outer = shape.inflated(1e-6 + 0.415 * shape.radius) if len(shape.vertices) else shape
    for time in checked.times:
        moved = into_frame(points, project(Pose2D(), twist, float(time)))
        inside = np.count_nonzero(shape.signed_distance(moved) < -1e-9)
        if inside >= least:
            assert found is not None
            assert found <= time
        if found is not None and time == found and time > 0.0:
            assert np.count_nonzero(shape.signed_distance(moved) < -1e-9) < least
    if found is None:
        return
    reached = checked.times[min(len(checked.times) - 1, round(found / step) + 1)]
    near = [
        np.count_nonzero(outer.contains(into_frame(points, project(Pose2D(), twist, t))))
        for t in (found, reached)
    ]
    assert max(near) >= least


@given(st.builds(Twist2D, *[st.floats(-3, 3)] * 3), st.floats(0, 2), st.floats(0, 2))
def test_limiting_keeps_both_caps_and_gives_up_no_more_than_it_must(twist, linear, angular):
    ratio = limiting_ratio(twist, linear, angular)
    assert 0.0 <= ratio <= 1.0
    slow = twist.scaled(ratio)
    assert slow.linear <= linear + 1e-9
    assert abs(slow.wz) <= angular + 1e-9
    if ratio < 1.0:
        at_one = math.isclose(slow.linear, linear, abs_tol=1e-9)
        assert at_one or math.isclose(abs(slow.wz), angular, abs_tol=1e-9)


def test_what_points_inside_ask_for():
    twist = Twist2D(0.5, 0.2, 0.1)
    assert outcome_of(zone(Action.STOP, min_points=2), 1, twist) is None
    assert outcome_of(zone(Action.STOP, min_points=2), 2, twist).ratio == 0.0
    assert outcome_of(zone(Action.SLOWDOWN, slowdown_ratio=0.7), 1, twist).ratio == 0.7
    limit = outcome_of(zone(Action.LIMIT, linear_limit=0.4, angular_limit=0.09), 1, twist)
    assert limit.ratio == pytest.approx(min(0.4 / math.hypot(0.5, 0.2), 0.9))


def test_an_approach_slows_to_the_share_of_the_time_that_is_left():
    found = approach(zone(), np.array([[0.75, 0.0]]), Twist2D(0.5))
    assert found.time_to_collision == pytest.approx(0.5, abs=0.011)
    assert found.ratio == pytest.approx(0.5, abs=0.011)
    assert approach(zone(), np.array([[0.75, 0.0]]), Twist2D()) is None


def test_the_moments_end_at_or_after_the_time_before_collision():
    assert zone(simulation_time_step=0.3).times == pytest.approx([0.0, 0.3, 0.6, 0.9, 1.2])
    assert zone(simulation_time_step=0.1).times[-1] == pytest.approx(1.0)
