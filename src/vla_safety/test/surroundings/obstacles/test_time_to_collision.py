"""Looking ahead for one velocity after the other, against poses that are made one by one."""

import numpy as np
import pytest

from vla_safety.surroundings.obstacles.base_kinematics import Pose2D, Twist2D, into_frame, project
from vla_safety.surroundings.obstacles.footprint import Shape
from vla_safety.surroundings.obstacles.time_to_collision import Lookahead

TIMES = 0.1 * np.arange(21)
POINTS = np.random.default_rng(8).uniform(-2.0, 2.0, (40, 2))
SHAPES = {
    "skew": Shape.polygon([0.4, -0.2, 0.5, 0.3, -0.3, 0.25, -0.35, -0.3]),
    "hook": Shape.polygon([-0.4, -0.3, 0.5, -0.3, 0.5, 0.3, 0.2, 0.0, -0.4, 0.3]),
    "circle": Shape.circle(0.35),
    "long": Shape.polygon([1.6, -0.2, 1.6, 0.2, -0.2, 0.2, -0.2, -0.2]),
}
TWISTS = [
    Twist2D(0.6, 0.0, 0.0), Twist2D(0.6, 0.0, 0.0), Twist2D(-0.5, 0.2, 0.0), Twist2D(0.5, 0.1, 0.8),
    Twist2D(), Twist2D(0.0, 0.0, 1.0), Twist2D(0.6, 0.0, 0.0),
]  # fmt: skip


def expected(shape, points, twist, least):
    for k, time in enumerate(TIMES):
        moved = into_frame(points, project(Pose2D(), twist, float(time)))
        if np.count_nonzero(shape.contains(moved)) >= least:
            return k
    return None


@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_the_first_moment_of_a_hit_for_each_velocity_in_turn(name, least):
    ahead = Lookahead(SHAPES[name], TIMES, 0.1)
    for twist in TWISTS:
        for points in (*POINTS[:, None], POINTS[:8], POINTS[8:11]):
            found = ahead.first_hit(points.T, twist, least)
            assert found == expected(SHAPES[name], points, twist, least)


def test_long_steps_pass_no_point_by():
    times = 2.0 * np.arange(9)
    ahead = Lookahead(SHAPES["circle"], times, 2.0)
    for k, time in enumerate(times):
        assert ahead.first_hit(np.array([[0.6 * time], [0.0]]), Twist2D(0.6), 1) == k


def test_what_just_touches_the_outline_on_its_way_is_met():
    # Straight behind at the start: as far as can be from the poses that are looked at first.
    ahead = Lookahead(Shape.circle(0.5), 0.125 * np.arange(17), 0.125)
    assert ahead.first_hit(np.array([[-0.5], [0.0]]), Twist2D(0.5), 1) == 0
    assert ahead.first_hit(np.array([[-0.5 - 1e-6], [0.0]]), Twist2D(0.5), 1) is None


def test_the_corners_of_a_margin_are_met_early_rather_than_late():
    square = Shape.polygon([0.5, 0.5, -0.5, 0.5, -0.5, -0.5, 0.5, -0.5]).inflated(0.4)
    corner = np.array([[0.5 + 0.35, 0.5 + 0.35]])  # within both sides, not in the round
    assert expected(square, corner, Twist2D(0.5), 1) == 4
    assert Lookahead(square, TIMES, 0.1).first_hit(corner.T, Twist2D(0.5), 1) == 0


def test_far_points_are_not_met():
    ahead = Lookahead(SHAPES["skew"], TIMES, 0.1)
    assert ahead.first_hit(np.array([[9.0, -9.0], [0.0, 0.0]]), Twist2D(0.5), 1) is None
    assert ahead.first_hit(np.empty((2, 0)), Twist2D(0.5), 1) is None
