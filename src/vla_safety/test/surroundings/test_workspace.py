"""A box and a measured position become boundaries; robots that follow them stay inside."""

import math
import random

import numpy as np
import pytest
from shipped_spaces import shipped_space

from vla_safety.limits.limiter import Limit, MotionLimiter
from vla_safety.surroundings.workspace import (
    IDENTITY,
    Workspace,
    linear_axes,
    quaternion_rotation,
    yaw_rotation,
)

ARM = shipped_space("arm_6dof")
BASE = shipped_space("mobile_base")
JOINTS = shipped_space("reference_7dof")
BOX = Workspace((-0.3, -0.4, 0.1), (0.3, 0.4, 0.7), "base_link")
FLOOR = Workspace((-1.0, -1.0, -math.inf), (1.0, 1.0, math.inf), "odom")


def test_linear_velocities_are_found_by_the_fields_they_go_to():
    assert linear_axes(ARM) == ((0, 0), (1, 1), (2, 2))
    assert linear_axes(BASE) == ((0, 0),)
    assert linear_axes(JOINTS) == ()


def test_a_box_has_a_boundary_for_each_face_and_says_what_is_left():
    faces = BOX.boundaries((0.1, 0.0, 0.2), ARM, speed=0.2, latency=0.1)
    assert [(f.name, round(f.remaining, 9), f.limit) for f in faces] == [
        ("x low", 0.38, Limit.WORKSPACE),
        ("x high", 0.18, Limit.WORKSPACE),
        ("y low", 0.38, Limit.WORKSPACE),
        ("y high", 0.38, Limit.WORKSPACE),
        ("z low", 0.08, Limit.WORKSPACE),
        ("z high", 0.48, Limit.WORKSPACE),
    ]
    assert faces[0].coefficients == (-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert faces[5].coefficients == (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def test_the_command_frame_is_turned_into_that_of_the_box():
    faces = BOX.boundaries((0.0, 0.0, 0.4), ARM, yaw_rotation(math.pi / 2))
    by_name = {face.name: face.coefficients[:3] for face in faces}
    # Forwards is to the left of the box.
    assert by_name["y high"] == pytest.approx((1.0, 0.0, 0.0))
    assert by_name["x high"] == pytest.approx((0.0, -1.0, 0.0))


def test_a_quaternion_turns_as_its_yaw_does():
    half = 0.35
    turned = quaternion_rotation(0.0, 0.0, math.sin(half), math.cos(half))
    np.testing.assert_allclose(turned, yaw_rotation(2.0 * half), atol=1e-12)
    np.testing.assert_allclose(quaternion_rotation(0.0, 0.0, 0.0, 2.0), IDENTITY)


def test_an_open_side_has_no_boundary():
    assert [f.name for f in FLOOR.boundaries((0, 0, 0), BASE)] == [
        "x low", "x high", "y low", "y high",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("position", "rotation"),
    [
        ((math.nan, 0.0, 0.4), IDENTITY),
        ((0.0, 0.0, 0.4), quaternion_rotation(0.0, 0.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.4), quaternion_rotation(math.nan, 0.0, 0.0, 1.0)),
    ],
)
def test_a_pose_that_is_not_a_number_lets_nothing_pass_there(position, rotation):
    limiter = MotionLimiter(ARM)
    for sign in (1.0, -1.0):
        for _ in range(20):
            faces = BOX.boundaries(position, ARM, rotation)
            step = limiter.step([sign * 0.2] + [0.0] * 6, boundaries=faces)
            assert step.safe[0] == 0.0


@pytest.mark.parametrize(
    ("low", "high"), [((0, 0, 0), (1, 0, 1)), ((0, 0, math.nan), (1, 1, 1)), ((0, 0), (1, 1))]
)
def test_a_box_that_is_none_is_refused(low, high):
    with pytest.raises(ValueError, match="accepted"):
        Workspace(low, high, "base_link")


@pytest.mark.parametrize("yaw", [0.0, math.pi / 2, 0.4])
def test_an_end_effector_stays_in_the_box(yaw):
    source, limiter = random.Random(1), MotionLimiter(ARM)
    rotation, at = yaw_rotation(yaw), [0.0, 0.0, 0.4]
    for k in range(3000):
        if k % 60 == 0:
            goal = [source.uniform(-1.0, 1.0) for _ in range(ARM.width)]
        step = limiter.step(goal, boundaries=BOX.boundaries(at, ARM, rotation))
        assert not step.emergency
        for i in range(3):
            at[i] += ARM.period * sum(rotation[i][j] * step.safe[j] for j in range(3))
            assert BOX.low[i] - 1e-7 <= at[i] <= BOX.high[i] + 1e-7


def test_an_old_position_costs_the_way_made_since():
    limiter = MotionLimiter(ARM)
    at, before = [0.0, 0.0, 0.4], [(0.0, 0.0, 0.4)] * 5
    for _ in range(500):
        faces = BOX.boundaries(before[0], ARM, speed=0.25, latency=5 * ARM.period)
        step = limiter.step([0.25] + [0.0] * 6, boundaries=faces)
        at[0] += ARM.period * step.safe[0]
        before = [*before[1:], tuple(at)]
        assert at[0] <= 0.3 + 1e-7


@pytest.mark.parametrize("seed", range(4))
def test_a_base_that_turns_as_it_drives_stays_in_its_area(seed):
    source, limiter = random.Random(seed), MotionLimiter(BASE)
    x = y = yaw = 0.0
    for k in range(3000):
        if k % 80 == 0:
            goal = [source.choice([0.6, 0.6, -0.2]), source.uniform(-1.0, 1.0)]
        faces = FLOOR.boundaries((x, y, 0.0), BASE, yaw_rotation(yaw), turn=0.6)
        v, w = limiter.step(goal, boundaries=faces).safe
        x += BASE.period * v * math.cos(yaw)
        y += BASE.period * v * math.sin(yaw)
        yaw += BASE.period * w
        assert abs(x) <= 1.0 + 1e-6 and abs(y) <= 1.0 + 1e-6
