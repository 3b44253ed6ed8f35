"""The time that braking takes, counted by hand; what is refused."""

import math

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_safety.limits.braking import Rates
from vla_safety.limits.limiter import Limit, MotionLimiter, _periods_to_rest, braking_time


def dimension(kind, low, high, limits, emergency):
    return Dimension(
        "d", kind, kind.units[0], low, high, low, high, limits, emergency, "f",
        Output("out", "std_msgs/msg/Float64", "data"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "acceleration", "expected"),
    [(0.0, 0.0, 0), (0.5, 0.0, 1), (2.0, 0.0, 3), (-2.0, 0.0, 3), (2.0, 1.0, 4), (4.5, -2.0, 5)],
)
def test_periods_to_rest(rate, acceleration, expected):
    # T = 0.5, q = 1, A = 2: from 2 with -1, -2, -1; from 2 with 1 first 0, then the same.
    assert _periods_to_rest(Rates(0.5, 10.0, 2.0, 1.0), rate, acceleration) == expected


@pytest.mark.parametrize(
    ("kind", "low", "high", "top"),
    [
        (Kind.LINEAR_VELOCITY, -4.0, 1.0, 4.0),
        (Kind.LINEAR_VELOCITY, -1.0, 4.0, 4.0),
        (Kind.LINEAR_VELOCITY, -1.0, 1.0, 1.0),
        (Kind.JOINT_POSITION, -0.5, 0.5, 4.0),
    ],
)
def test_the_braking_time_is_that_from_the_greatest_speed(kind, low, high, top):
    # Without acceleration 3 periods from 4 and 1 from 1. Speeding up with 2 it is at 3 and gains
    # 1 more: 4 in the next period, and 3 down; from 1 it can only just not speed up any more.
    limits = Limits(4.0, 2.0, 1.0)
    found = braking_time(dimension(kind, low, high, limits, limits), 1.0)
    assert found == (1 + (5 if top == 4.0 else 2)) * 1.0


def test_the_emergency_set_brakes():
    normal, hard = Limits(4.0, 2.0, 1.0), Limits(4.0, 8.0, 16.0)
    kind = Kind.LINEAR_VELOCITY
    assert braking_time(dimension(kind, -4.0, 4.0, normal, hard), 1.0) == 2.0


def one_velocity():
    made = dimension(Kind.LINEAR_VELOCITY, -1.0, 1.0, Limits(1.0, 1.0, 1.0), Limits(1.0, 1.0, 1.0))
    return ActionSpace("test", 10.0, 10, 0.1, 10.0, (made,), Norms())


def test_an_entry_that_is_missing_counts_as_not_finite():
    step = MotionLimiter(one_velocity()).step([None])
    assert [v.limit for v in step.violations] == [Limit.FINITE] and step.safe.tolist() == [0.0]


@pytest.mark.parametrize("period", [0.0, -1.0, math.nan, math.inf])
def test_a_period_that_is_none_is_refused(period):
    space = one_velocity()
    assert MotionLimiter(space).period == 0.1 and MotionLimiter(space, 0.5).period == 0.5
    with pytest.raises(ValueError, match=f"period is {period!r} s; accepted: a finite number"):
        MotionLimiter(space, period)
