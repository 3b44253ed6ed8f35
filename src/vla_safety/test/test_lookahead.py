"""Looking ahead for one velocity after the other, against poses that are made one by one."""

import numpy as np
import pytest

from vla_safety.footprint import Shape
from vla_safety.kinematics import Pose2D, Twist2D, into_frame, project
from vla_safety.lookahead import Lookahead

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


def test_far_points_are_not_met():
    ahead = Lookahead(SHAPES["skew"], TIMES, 0.1)
    assert ahead.first_hit(np.array([[9.0, -9.0], [0.0, 0.0]]), Twist2D(0.5), 1) is None
    assert ahead.first_hit(np.empty((2, 0)), Twist2D(0.5), 1) is None
