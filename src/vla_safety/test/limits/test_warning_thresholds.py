"""Warnings of motion that passes."""

import math

import pytest
from shipped_spaces import shipped_space

from vla_contract.action_space import SoftThresholds
from vla_safety.limits.limiter import Limit
from vla_safety.limits.warning_thresholds import distance_warning, warnings

BASE = shipped_space("mobile_base")
ARM = shipped_space("arm_6dof")


def test_the_defaults_are_those_of_the_reference():
    soft = SoftThresholds()
    assert (soft.linear_velocity, soft.angular_velocity, soft.distance) == (0.5, 0.5, 0.3)
    assert BASE.soft == soft


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0.5, -0.5], []),
        ([0.51, 0.0], ["linear"]),
        ([-0.6, -0.6], ["linear", "angular"]),
        ([math.nan, 0.0], ["linear"]),
    ],
)
def test_a_motion_above_a_threshold_is_warned_of(values, names):
    found = warnings(BASE, values)
    assert [w.name for w in found] == names
    assert all((w.limit, w.bound) == (Limit.NORM, 0.5) for w in found)


def test_it_is_the_norm_that_counts():
    assert warnings(ARM, [0.11, 0.11, 0.11, 0.0, 0.0, 0.0, 1.0]) == ()
    (found,) = warnings(ARM, [0.12, 0.12, 0.12, 0.0, 0.0, 0.0, 1.0])
    assert found.value == pytest.approx(0.12 * math.sqrt(3.0))


def test_a_near_obstacle_is_warned_of():
    assert distance_warning(0.3, 0.3, "scan") is None
    found = distance_warning(0.2, 0.3, "scan")
    assert (found.limit, found.value, found.bound, found.name) == (Limit.OBSTACLE, 0.2, 0.3, "scan")
