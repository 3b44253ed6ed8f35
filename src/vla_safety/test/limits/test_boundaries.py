"""Boundaries of the motion: where it stops, what passes there, what is refused."""

import math

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_safety.limits.limiter import Boundary, Limit, MotionLimiter

PERIOD = 0.02
OUTPUT = Output("out", "std_msgs/msg/Float64", "data")
NORMAL, EMERGENCY = Limits(0.5, 1.0, 10.0), Limits(0.5, 4.0, 80.0)


def space(*kinds):
    made = tuple(
        Dimension(
            name, kind, kind.units[0], -2.0, 2.0, -2.0, 2.0, NORMAL, EMERGENCY, "f", OUTPUT
        )  # fmt: skip
        for name, kind in zip("xyz", kinds, strict=False)
    )
    return ActionSpace("test", 1.0 / PERIOD, 10, PERIOD, 10.0, made, Norms(0.5))


class Robot:
    """Integrates its commands, and knows a boundary at `far`."""

    def __init__(self, coefficients=(1.0,), far=0.3, kinds=(Kind.LINEAR_VELOCITY,)):
        self.limiter = MotionLimiter(space(*kinds))
        self.coefficients, self.far = coefficients, far
        self.at = 0.0

    def step(self, row, **more):
        ahead = Boundary(self.coefficients, self.far - self.at, Limit.WORKSPACE, "x high")
        step = self.limiter.step(row, boundaries=[ahead], **more)
        self.at += PERIOD * sum(c * v for c, v in zip(self.coefficients, step.safe, strict=True))
        return step


def test_the_motion_ends_at_the_boundary_and_not_before_or_beyond():
    robot = Robot()
    steps = [robot.step([0.5]) for _ in range(200)]
    assert robot.far - 1e-4 <= robot.at <= robot.far
    assert not any(step.emergency for step in steps)
    (named,) = [v for v in steps[-1].violations if v.limit is Limit.WORKSPACE]
    assert (named.name, named.dimension) == ("x high", "x") and named.value > named.bound


def test_it_brakes_once_and_does_not_tremble():
    robot = Robot()
    values = [robot.step([0.5]).safe[0] for _ in range(200)]
    changes = [b - a for a, b in zip(values, values[1:], strict=False) if abs(b - a) > 1e-9]
    turns = sum((a > 0.0) != (b > 0.0) for a, b in zip(changes, changes[1:], strict=False))
    assert turns == 1
    assert values[-1] == 0.0


@pytest.mark.parametrize("far", [0.0, -0.1, math.nan])
def test_at_the_boundary_and_beyond_only_what_leads_away_passes(far):
    robot = Robot(far=far)
    assert all(robot.step([0.5]).safe[0] == 0.0 for _ in range(20))
    away = [robot.step([-0.5]).safe[0] for _ in range(60)]
    assert away[-1] == -0.5
    if math.isnan(far):
        return
    for _ in range(400):
        robot.step([0.5])
    # From beyond it, it comes back to where it was when it was turned round again, at most.
    assert robot.at <= max(far, 0.0) + 1e-9


def test_a_boundary_that_comes_near_is_braked_for_with_the_emergency_limits():
    robot = Robot(far=2.0)
    for _ in range(60):
        assert not robot.step([0.5]).emergency
    # Braking from 0.5 m/s takes 0.15 m with the normal limits, 0.04 m with the others.
    robot.far = robot.at + 0.07
    steps = [robot.step([0.5]) for _ in range(60)]
    assert steps[0].emergency
    assert robot.at <= robot.far and robot.limiter.standstill
    assert not steps[-1].emergency


def test_an_axis_that_leads_along_the_boundary_goes_on():
    kinds = (Kind.LINEAR_VELOCITY, Kind.LINEAR_VELOCITY)
    robot = Robot((1.0, 0.0), 0.1, kinds)
    for _ in range(200):
        step = robot.step([0.5, 0.3])
    assert step.safe[0] == 0.0 and step.safe[1] > 0.25


def test_an_oblique_boundary_counts_what_all_axes_do():
    kinds = (Kind.LINEAR_VELOCITY, Kind.LINEAR_VELOCITY)
    robot = Robot((0.6, 0.8), 0.2, kinds)
    for _ in range(300):
        robot.step([0.4, 0.2])
        assert robot.at <= robot.far
    assert robot.at == pytest.approx(0.2, abs=1e-4)


def test_a_coefficient_that_is_not_a_number_lets_nothing_pass():
    robot = Robot((math.nan,))
    assert all(robot.step([v]).safe[0] == 0.0 for v in (0.5, -0.5) for _ in range(20))


def test_a_stop_near_a_boundary_reports_nothing_when_it_suffices():
    robot = Robot()
    for _ in range(30):
        robot.step([0.5])
    steps = [robot.step(None) for _ in range(60)]
    assert all(step.violations == () for step in steps)
    assert robot.limiter.standstill


@pytest.mark.parametrize("coefficients", [(1.0, 0.0), ()])
def test_a_boundary_of_another_action_space_is_refused(coefficients):
    with pytest.raises(ValueError, match="one for each of the 1 dimensions"):
        Robot(coefficients).step([0.0])


def test_a_boundary_of_a_position_is_refused():
    with pytest.raises(ValueError, match="no velocity"):
        Robot(kinds=(Kind.JOINT_POSITION,)).step([0.0])


def test_a_joint_stops_at_the_end_of_its_range_within_its_limits():
    limiter = MotionLimiter(space(Kind.JOINT_POSITION))
    values = [limiter.step([math.copysign(5.0, 300 - k)]).safe[0] for k in range(1000)]
    assert max(values) == 2.0 and min(values) == pytest.approx(-2.0)
    rates = [(b - a) / PERIOD for a, b in zip(values, values[1:], strict=False)]
    falls = [(b - a) / PERIOD for a, b in zip(rates, rates[1:], strict=False)]
    assert max(map(abs, falls)) <= 1.0 + 1e-9
