"""What is a rotation and what is none."""

import math

import pytest

from vla_contract.quaternions import quaternion_problem

HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
    "quaternion",
    [(0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, -1.0), (HALF, 0.0, -HALF, 0.0), (0.0, 0.0, 0.0, 0.995)],
)
def test_a_rotation_has_length_1(quaternion):
    assert quaternion_problem(quaternion) == ""


@pytest.mark.parametrize(
    "quaternion",
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 2.0),
        (0.0, 0.0, 0.5, 0.5),
        (0.0, 0.0, math.nan, 1.0),
        (math.inf, 0.0, 0.0, 1.0),
        (1e200, 0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0),
        (),
    ],
)
def test_what_is_no_rotation_says_what_is_accepted(quaternion):
    problem = quaternion_problem(quaternion)
    assert problem == f"quaternion is {list(quaternion)}; accepted: x, y, z, w of length 1"
