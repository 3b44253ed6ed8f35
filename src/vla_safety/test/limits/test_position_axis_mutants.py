"""Positions: where braking leads, and which requests count as smooth."""

import pytest

from vla_contract.action_space import Dimension, Kind, Limits, Output
from vla_safety.limits.axes import Limit
from vla_safety.limits.position_axis import PositionAxis, _solve

EVEN = Limits(1.0, 4.0, 10.0)
HARD = Limits(1.0, 8.0, 80.0)


def axis(low, high, state=(0.0, 0.0, 0.0), normal=EVEN, emergency=EVEN, period=0.1):
    made = PositionAxis(
        Dimension(
            "d", Kind.JOINT_POSITION, "rad", low, high, low, high, normal, emergency, "f",
            Output("out", "std_msgs/msg/Float64", "data"),
        ),
        period,
    )  # fmt: skip
    made.value, made.rate, made.acceleration = state
    return made


# T = 0.1, q = 1: from 0.25 with -3 the brake gives 0.05, -0.05, -0.05, 0; so it turns 0.005
# beyond where it is, and comes to rest as much before it.
TURNING = (0.1, 0.25, -3.0)
BACK = (0.1, -0.25, 3.0)


@pytest.mark.parametrize(
    ("state", "low", "high", "expected"),
    [
        (TURNING, 0.094, 0.106, True),
        (TURNING, -1.0, 0.104, False),
        (TURNING, 0.096, 1.0, False),
        (BACK, 0.094, 0.106, True),
        (BACK, 0.096, 1.0, False),
        (BACK, -1.0, 0.104, False),
        # 0.1 and then at rest: no turn.
        ((0.1, 0.2, 0.0), 0.05, 0.111, True),
        ((0.1, 0.2, 0.0), 0.05, 0.109, False),
        ((0.1, -0.2, 0.0), 0.089, 0.15, True),
        ((0.1, -0.2, 0.0), 0.091, 0.15, False),
        ((0.1, 0.0, 0.0), 0.0, 0.2, True),
        ((0.1, 0.0, 0.0), 0.1, 0.2, True),
        ((0.1, 0.0, 0.0), 0.0, 0.1, True),
    ],
)
def test_whether_braking_stays_in_the_range(state, low, high, expected):
    one = axis(low, high, state)
    assert one._stays_in_range(one.normal) is expected
    assert one._viable(one.normal, 1.0) is expected


def test_each_set_brakes_with_its_own_plan():
    # 0.01 with the normal set; the other has it at rest in one period.
    one = axis(-1.0, 0.105, (0.1, 0.2, 0.0), emergency=HARD)
    assert not one._stays_in_range(one.normal) and one._stays_in_range(one.emergency)
    assert not one._viable(one.normal, 1.0) and one._viable(one.emergency, 1.0)
    assert one._may_enter_emergency()
    wide = axis(-1.0, 1.0, (0.1, 0.2, 0.0), emergency=HARD)
    assert wide.hold_target() == wide.hold_target(False) == pytest.approx(0.11, abs=1e-6)
    assert wide.hold_target(True) == pytest.approx(0.1, abs=1e-6)


def test_a_deceleration_just_at_its_limit_is_more_than_the_plan_has():
    uneven = Limits(1.0, 2.0, 10.0, 4.0)
    for deceleration, expected in ((4.0, False), (3.99, True)):
        one = axis(-9.0, 9.0, (0.0, 0.99, -deceleration), uneven, HARD)
        assert one._viable(one.normal, 1.0) is expected


@pytest.mark.parametrize(
    ("target", "rate", "acceleration", "smooth"),
    [
        # T = 0.125, so that floats hold all: V = 1, A = 4, D = 2 and q = 1.
        (0.125, 1.0, 0.0, True),
        (-0.125, -1.0, 0.0, True),
        (0.126, 1.0, 0.0, False),
        (0.125 * 0.75, 0.25, 3.0, True),  # 4 m/s2
        (0.125 * 0.75, 0.25, 4.0, True),
        (0.125 * 0.8125, 0.25, 3.75, False),  # 4.5
        (0.125 * 0.75, 1.0, -1.0, True),  # -2
        (0.125 * 0.6875, 1.0, -2.0, False),  # -2.5
        # Just what rounding may add.
        (0.125 * (1.0 + 1e-9), 1.0 + 1e-9, 0.0, True),
        (0.0625 * (1.0 + 1e-9), 0.0, 4.0, True),
        (0.015625 * (1.0 + 1e-6), 0.0, 0.0, True),
        (0.0625, 0.5, 1.0, True),
        (0.0625, 0.5, -1.0, True),
        (0.0625, 0.5, 1.5, False),
        (0.0625, 0.5, 2.5, False),
    ],
)
def test_a_request_that_keeps_the_limits_is_smooth(target, rate, acceleration, smooth):
    one = axis(-9.0, 9.0, normal=Limits(1.0, 4.0, 8.0, 2.0), period=0.125)
    one._reference = one._reference._replace(rate=rate, acceleration=acceleration)
    one._follow(target, one.normal, smooth=True)
    assert one._reference.smooth is smooth
    assert one._reference[:3] == (target, target / 0.125, (target / 0.125 - rate) / 0.125)
    one._follow(target, one.normal, smooth=False)
    assert not one._reference.smooth


def test_a_reset_takes_the_request_for_where_it_starts():
    one, found = axis(-9.0, 9.0), []
    one.advance(0.5, False, 1.0, found)
    one.reset(0.5)
    assert one._reference == (0.5, 0.0, 0.0, True)
    assert one._left is None and one.at_rest


def test_a_request_just_out_of_reach_is_not_met():
    # 4 m/s2 are all that there is; 2e-9 more are 2e-11 m after one period.
    one, found, rate, at = axis(-9.0, 9.0, normal=Limits(9.0, 4.0, 10.0)), [], 0.0, 0.0
    for k in range(1, 6):
        rate += 0.1 * (k if k < 5 else 4.0 + 2e-9)
        at += 0.1 * rate
        value = one.advance(at, False, 1.0, found)
        if k < 5:
            assert value == pytest.approx(at, abs=1e-15) and found == []
    assert value < at - 1e-11
    assert [v.limit for v in found] == [Limit.ACCELERATION]


@pytest.mark.parametrize(
    ("low", "start", "high", "expected"),
    [
        (0.0, 0.5, 1.0, 0.25),
        (0.0, 0.0, 1.0, 0.25),
        (0.0, 1.0, 1.0, 0.25),
        (0.0, 0.25, 1.0, 0.25),
        (0.25, 0.5, 1.0, 0.25),
        (0.5, 0.75, 1.0, 0.5),
        (-1.0, -0.5, 0.0, 0.0),
        (0.5, -9.0, 1.0, 0.5),
        (-1.0, 9.0, 0.0, 0.0),
    ],
)
def test_the_zero_or_the_end_that_is_nearer_to_it(low, start, high, expected):
    tried = []

    def cubic(x):
        tried.append(x)
        return (x - 0.25) ** 3 + (x - 0.25)

    found = _solve(cubic, low, start, high, 1e-12)
    assert found == pytest.approx(expected, abs=1e-12)
    assert all(low <= x <= high for x in tried)
    if start == expected:
        assert tried == [start]
