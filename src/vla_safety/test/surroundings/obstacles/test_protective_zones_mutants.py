"""Paths and collisions against a plain simulation, step by step."""

import math

import numpy as np
import pytest

from vla_safety.surroundings.obstacles.base_kinematics import (
    Pose2D,
    Twist2D,
    along_path,
    into_frame,
    project,
)
from vla_safety.surroundings.obstacles.footprint import Shape
from vla_safety.surroundings.obstacles.protective_zones import (
    Action,
    Zone,
    approach,
    time_to_collision,
)

SHAPES = {
    "skew": Shape.polygon([0.4, -0.2, 0.5, 0.3, -0.3, 0.25, -0.35, -0.3]),
    "inflated": Shape.polygon([0.4, -0.2, 0.5, 0.3, -0.3, 0.25]).inflated(0.1),
    "hook": Shape.polygon([-0.4, -0.3, 0.5, -0.3, 0.5, 0.3, 0.2, 0.0, -0.4, 0.3]),
    "circle": Shape.circle(0.35),
}
TWISTS = [
    Twist2D(0.6, 0.0, 0.0),
    Twist2D(-0.5, 0.2, 0.0),
    Twist2D(0.5, 0.1, 0.8),
    Twist2D(0.4, -0.3, -1.3),
    Twist2D(0.0, 0.0, 1.0),
]


def zone(shape, min_points=1):
    return Zone(
        "z", Action.APPROACH, shape, min_points, time_before_collision=2.0,
        simulation_time_step=0.1,
    )  # fmt: skip


def simulated(shape, points, twist, min_points):
    for k in range(21):
        pose = project(Pose2D(), twist, 0.1 * k)
        if np.count_nonzero(shape.contains(into_frame(points, pose))) >= min_points:
            return max(0, k - 1) * 0.1
    return None


@pytest.mark.parametrize("name", ["skew", "hook", "circle"])
@pytest.mark.parametrize("twist", TWISTS)
def test_the_time_to_a_collision_is_that_of_a_simulation(name, twist):
    shape, rng = SHAPES[name], np.random.default_rng(3)
    for _ in range(60):
        point = rng.uniform(-2.2, 2.2, (1, 2))
        expected = simulated(shape, point, twist, 1)
        assert time_to_collision(zone(shape), point, twist) == (
            None if expected is None else pytest.approx(expected)
        )


@pytest.mark.parametrize("twist", TWISTS)
def test_several_points_count_together(twist):
    shape, rng = SHAPES["skew"], np.random.default_rng(4)
    for count in (2, 3):
        for _ in range(20):
            points = rng.uniform(-1.5, 1.5, (12, 2))
            expected = simulated(shape, points, twist, count)
            found = time_to_collision(zone(shape, count), points, twist)
            assert found == (None if expected is None else pytest.approx(expected))


def test_an_inflated_outline_is_never_met_late():
    shape, rng = SHAPES["inflated"], np.random.default_rng(5)
    for twist in TWISTS:
        for _ in range(40):
            point = rng.uniform(-2.0, 2.0, (1, 2))
            expected = simulated(shape, point, twist, 1)
            if expected is not None:
                found = time_to_collision(zone(shape), point, twist)
                assert found is not None and found <= expected + 1e-9


def test_an_approach_asks_for_at_most_all_of_the_speed():
    shape = SHAPES["circle"]
    long = Zone(
        "z", Action.APPROACH, shape, time_before_collision=1.05, simulation_time_step=0.5
    )  # steps beyond the time that there must be
    point = np.array([[1.75, 0.0]])
    found = approach(long, point, Twist2D(1.0, 0.0, 0.0))
    assert found is not None and 0.0 < found.ratio <= 1.0
    assert found.time_to_collision == pytest.approx(1.0)


@pytest.mark.parametrize("wz", [5e-324, 1e-7, -4e-5, 1e-3, 0.5, 1.0, 2.0])
def test_a_path_is_the_arc_that_is_driven(wz):
    twist = Twist2D(0.7, -0.3, wz)
    times = np.array([0.0, 0.4, 0.99, 1.7])
    x, y, cos, sin = along_path(twist, times)
    for k, time in enumerate(times):
        pose = project(Pose2D(), twist, float(time))
        assert (x[k], y[k]) == pytest.approx((pose.x, pose.y), rel=1e-12, abs=1e-14)
        assert (cos[k], sin[k]) == pytest.approx((math.cos(pose.theta), math.sin(pose.theta)))


@pytest.mark.parametrize("angle", [3e-5, 9e-5, 1.1e-4])
def test_small_angles_lose_no_digits(angle):
    pose = project(Pose2D(), Twist2D(1.0, 0.0, angle), 1.0)
    # Two more terms of the series than the code uses.
    along = 1.0 - angle**2 / 6.0 + angle**4 / 120.0
    across = angle / 2.0 - angle**3 / 24.0
    assert pose.x == pytest.approx(along, rel=1e-14)
    assert pose.y == pytest.approx(across, rel=1e-7)
    x, y, _, _ = along_path(Twist2D(1.0, 0.0, angle), np.array([1.0]))
    assert x[0] == pytest.approx(along, rel=1e-14)
    assert y[0] == pytest.approx(across, rel=1e-7)
