"""Arcs, against many small straight steps and against the rules of groups."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_safety.surroundings.obstacles.base_kinematics import (
    Pose2D,
    Twist2D,
    along_path,
    into_frame,
    project,
)

speeds = st.floats(-2.0, 2.0)
twists = st.builds(Twist2D, speeds, speeds, speeds)
poses = st.builds(Pose2D, speeds, speeds, st.floats(-3.0, 3.0))
times = st.floats(0.0, 3.0)


def close(pose, other, tolerance=1e-9):
    return (pose.x, pose.y, pose.theta) == pytest.approx(
        (other.x, other.y, other.theta), abs=tolerance
    )


def test_a_quarter_turn():
    end = project(Pose2D(), Twist2D(vx=math.pi / 2, wz=math.pi / 2), 1.0)
    assert close(end, Pose2D(1.0, 1.0, math.pi / 2))


def test_sideways():
    assert close(
        project(Pose2D(1.0, 2.0, math.pi / 2), Twist2D(vy=1.0), 2.0), Pose2D(-1, 2, 1.5708), 1e-4
    )


@given(poses, twists, st.floats(0.0, 2.0))
def test_it_is_the_limit_of_small_steps(pose, twist, duration):
    steps, walked = 2000, pose
    for _ in range(steps):
        dt = duration / steps
        middle = walked.theta + 0.5 * twist.wz * dt
        cos, sin = math.cos(middle), math.sin(middle)
        walked = Pose2D(
            walked.x + (twist.vx * cos - twist.vy * sin) * dt,
            walked.y + (twist.vx * sin + twist.vy * cos) * dt,
            walked.theta + twist.wz * dt,
        )
    assert close(project(pose, twist, duration), walked, 1e-5)


@given(poses, twists, times, times)
def test_two_times_in_a_row_are_their_sum(pose, twist, first, second):
    assert close(
        project(project(pose, twist, first), twist, second), project(pose, twist, first + second)
    )


@given(poses, twists, times)
def test_backwards_leads_back(pose, twist, duration):
    assert close(project(project(pose, twist, duration), twist, -duration), pose)


@given(poses, st.lists(st.tuples(speeds, speeds), min_size=1, max_size=5))
def test_into_frame_keeps_distances_and_its_own_place_is_0(pose, points):
    points = np.array(points)
    seen = into_frame(points, pose)
    assert np.allclose(
        np.hypot(*(points - (pose.x, pose.y)).T), np.hypot(*seen.T), rtol=0.0, atol=1e-9
    )
    assert np.allclose(into_frame(np.array([[pose.x, pose.y]]), pose), 0.0, atol=1e-12)
    ahead = np.array([[pose.x + math.cos(pose.theta), pose.y + math.sin(pose.theta)]])
    assert np.allclose(into_frame(ahead, pose), [[1.0, 0.0]], atol=1e-9)


@given(twists, st.lists(times, min_size=1, max_size=6))
def test_a_path_is_where_project_leads(twist, moments):
    x, y, cos, sin = along_path(twist, np.array(moments))
    for i, moment in enumerate(moments):
        pose = project(Pose2D(), twist, moment)
        assert (x[i], y[i]) == pytest.approx((pose.x, pose.y), abs=1e-9)
        assert (cos[i], sin[i]) == pytest.approx((math.cos(pose.theta), math.sin(pose.theta)))


def test_twists():
    twist = Twist2D(3.0, 4.0, 1.0)
    assert twist.linear == 5.0
    assert twist.scaled(0.5) == Twist2D(1.5, 2.0, 0.5)
    assert Twist2D().is_zero
    assert not twist.is_zero
    assert twist.is_finite
    assert not Twist2D(math.nan).is_finite
    assert not Twist2D(wz=math.inf).is_finite
