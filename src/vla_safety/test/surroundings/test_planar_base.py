"""Which dimensions of an action space move a base."""

import numpy as np
import pytest
from shipped_spaces import shipped_space

from vla_safety.surroundings.obstacles.base_kinematics import Twist2D
from vla_safety.surroundings.obstacles.obstacle_types import BaseBoundary
from vla_safety.surroundings.planar_base import BaseMotion


def motion(name):
    return BaseMotion(shipped_space(name))


def test_a_mobile_base():
    base = motion("mobile_base")
    assert base.exists
    assert base.twist([0.5, 0.2]) == Twist2D(0.5, 0.0, 0.2)
    assert base.twist(np.array([0.5, 0.2])) == Twist2D(0.5, 0.0, 0.2)
    assert base.twist(None) == Twist2D()
    assert base.scaled([0.5, 0.2], 0.5) == [0.25, 0.1]
    assert base.coefficients(1.0, 2.0, 3.0) == (1.0, 3.0)


def test_only_the_planar_velocity_is_scaled():
    base = motion("arm_6dof")
    space = shipped_space("arm_6dof")
    row = [0.1 * (i + 1) for i in range(space.width)]
    fields = [d.output.field for d in space.dimensions]
    for before, after, field in zip(row, base.scaled(row, 0.5), fields, strict=True):
        planar = field.endswith(("linear.x", "linear.y", "angular.z"))
        assert after == pytest.approx(0.5 * before if planar else before)


def test_boundaries_that_nothing_moves_towards_are_left_out():
    base = motion("mobile_base")
    sideways, ahead = BaseBoundary(0.0, 1.0, 0.0, 0.3), BaseBoundary(1.0, 0.5, 0.0, 0.4)
    assert list(base.boundaries([sideways, ahead])) == [((1.0, 0.0), 0.4, "minimum distance")]
