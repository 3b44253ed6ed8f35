"""What an axis reports, at numbers that floats hold exactly."""

import math

import pytest

from vla_contract.action_space import Dimension, Kind, Limits, Output
from vla_safety.limits.axes import Limit, make_rates
from vla_safety.limits.position_axis import PositionAxis
from vla_safety.limits.velocity_axis import VelocityAxis

PERIOD = 0.125  # with a jerk of 8 the acceleration may change by 1 per period
UNEVEN, EVEN, HARD = Limits(1.0, 4.0, 8.0, 2.0), Limits(1.0, 4.0, 8.0), Limits(1.0, 2.0, 8.0, 4.0)


def dimension(kind, limits, emergency=None):
    return Dimension(
        "d", kind, kind.units[0], -2.0, 1.5, -2.0, 1.5, limits, emergency or limits, "f",
        Output("out", "std_msgs/msg/Float64", "data"),
    )  # fmt: skip


def velocity(limits, rate=0.0, acceleration=0.0):
    axis = VelocityAxis(dimension(Kind.LINEAR_VELOCITY, limits), PERIOD)
    axis.value = axis.rate = rate
    axis.acceleration = acceleration
    return axis


@pytest.mark.parametrize(
    ("value", "start"),
    [(None, 0.0), (math.nan, 0.0), (-math.inf, 0.0), (5.0, 1.5), (-5.0, -2.0), (0.5, 0.5)],
)
def test_where_an_axis_starts(value, start):
    for axis in (velocity(EVEN, 0.25, 1.0), PositionAxis(dimension(Kind.GRIPPER, EVEN), PERIOD)):
        axis.enter_emergency()
        assert axis.in_emergency and axis.rates is axis.emergency
        axis.reset(value)
        assert (axis.value, axis.acceleration, axis.in_emergency) == (start, 0.0, False)
        assert axis.rates is axis.normal
        assert axis.rate == (start if isinstance(axis, VelocityAxis) else 0.0)


@pytest.mark.parametrize(
    ("limits", "rate", "acceleration", "chosen", "wanted", "expected"),
    [
        (UNEVEN, 0.5, 3.0, 4.0, 8.0, (Limit.ACCELERATION, 8.0, 4.0)),
        (UNEVEN, -0.5, -3.0, -4.0, -8.0, (Limit.ACCELERATION, -8.0, -4.0)),
        (UNEVEN, 1.0, -1.0, -2.0, -8.0, (Limit.DECELERATION, -8.0, -2.0)),
        (UNEVEN, 0.125, -1.0, -2.0, -8.0, (Limit.DECELERATION, -8.0, -2.0)),
        (HARD, 0.125, -1.0, -2.0, -8.0, (Limit.ACCELERATION, -8.0, -2.0)),
        (HARD, 1.0, -3.0, -4.0, -8.0, (Limit.DECELERATION, -8.0, -4.0)),
        # Not at a bound: the change of the acceleration is.
        (UNEVEN, 0.5, 0.0, 1.0, 3.0, (Limit.JERK, 24.0, 8.0)),
        (EVEN, 0.5, 0.0, 1.0, 3.0, (Limit.JERK, 24.0, 8.0)),
        (UNEVEN, 0.5, 2.0, 2.5, 3.0, (Limit.JERK, -24.0, -8.0)),  # to be taken back after it
        (EVEN, 0.5, 4.0, 4.0, 4.0, (Limit.JERK, -32.0, -8.0)),
        (UNEVEN, 0.5, 4.0, 4.0, 1.0, (Limit.JERK, -24.0, -8.0)),
        (UNEVEN, 0.5, 4.0, 4.0, -8.0, (Limit.JERK, -96.0, -8.0)),
        # Easing off before the sign changes.
        (UNEVEN, 0.5, 0.5, 0.5, 0.75, (Limit.DECELERATION, 0.75, 2.0)),
        (HARD, 0.5, -0.5, -0.5, -0.75, (Limit.ACCELERATION, -0.75, -2.0)),
        (UNEVEN, 0.5, 0.0, 0.5, 1.0, (Limit.DECELERATION, 1.0, 2.0)),
        (EVEN, 0.5, 0.5, 0.5, 0.75, (Limit.JERK, -6.0, -8.0)),
    ],
)
def test_which_limit_kept_an_acceleration(limits, rate, acceleration, chosen, wanted, expected):
    axis = velocity(limits, rate, acceleration)
    found = axis._too_abrupt(chosen, wanted, axis.rates)
    assert (found.limit, found.value, found.bound) == expected
    assert (found.dimension, found.name) == ("d", "")


@pytest.mark.parametrize(
    ("limits", "rate", "chosen", "expected"),
    [
        (UNEVEN, 0.5, 1.0, (Limit.ACCELERATION, 4.0)),
        (UNEVEN, 0.5, -1.0, (Limit.DECELERATION, 2.0)),
        (UNEVEN, -0.5, 1.0, (Limit.DECELERATION, 2.0)),
        (UNEVEN, 0.5, -4.0, (Limit.DECELERATION, 2.0)),  # to rest
        (HARD, 0.5, -4.0, (Limit.DECELERATION, 4.0)),
        (HARD, 0.5, -5.0, (Limit.ACCELERATION, 2.0)),  # and beyond
        (HARD, 0.5, 0.0, (Limit.ACCELERATION, 2.0)),
        (HARD, 0.0, -1.0, (Limit.ACCELERATION, 2.0)),
        (HARD, 0.5, -8.0, (Limit.ACCELERATION, 2.0)),  # as fast the other way
        (EVEN, 0.5, -5.0, (Limit.ACCELERATION, 4.0)),
    ],
)
def test_which_limit_bounds_a_period(limits, rate, chosen, expected):
    axis = velocity(limits, rate)
    assert axis._change_limit(chosen, axis.rates) == expected


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(0.75, (Limit.SPEED_SCALE, 0.5)), (-1.0, (Limit.SPEED_SCALE, -0.5)),
     (1.25, (Limit.VELOCITY, 0.5))],
)  # fmt: skip
def test_which_limit_is_too_slow(rate, expected):
    found = velocity(EVEN)._too_fast(rate, velocity(EVEN).rates, 0.5)
    assert (found.limit, found.bound, found.value) == (*expected, rate)


@pytest.mark.parametrize(
    ("request_", "value", "bounds"), [(1.5, 1.5, []), (1.75, 1.5, [1.5]), (-2.0, -2.0, []),
    (-2.5, -2.0, [-2.0])],
)  # fmt: skip
def test_a_request_is_clipped_into_the_range(request_, value, bounds):
    found = []
    assert velocity(EVEN)._clip(request_, found) == value
    assert [(v.limit, v.value, v.bound) for v in found] == [
        (Limit.RANGE, request_, bound) for bound in bounds
    ]


def test_what_is_not_finite_is_replaced_by_where_the_set_in_force_stops():
    axis = PositionAxis(dimension(Kind.JOINT_POSITION, EVEN, Limits(1.0, 8.0, 64.0)), PERIOD)
    axis.rate = 0.5
    stops = [axis.hold_target(), axis.hold_target(True)]
    assert stops[0] == axis.hold_target(False) > stops[1]
    for emergency in (False, True):
        found = []
        assert axis.admit(math.nan, emergency, 1.0, found) is None
        assert [(v.limit, v.bound) for v in found] == [(Limit.FINITE, stops[emergency])]
        assert axis.in_emergency is emergency


def test_after_an_emergency_the_axis_brakes_until_the_normal_set_can_be_kept():
    axis = VelocityAxis(dimension(Kind.LINEAR_VELOCITY, UNEVEN, Limits(1.0, 8.0, 64.0)), PERIOD)
    axis.enter_emergency()
    axis.value, axis.acceleration, found = 1.0, -6.0, []
    assert axis.admit(1.0, False, 1.0, found) is None
    assert [(v.limit, v.value, v.bound) for v in found] == [(Limit.DECELERATION, -6.0, -2.0)]
    assert axis.admit(None, False, 1.0, found) is None
    assert len(found) == 1 and axis.in_emergency and axis.rates is axis.emergency
    axis.acceleration = -2.0
    assert axis.admit(0.5, False, 1.0, found) == 0.5
    assert len(found) == 1 and not axis.in_emergency and axis.rates is axis.normal
    # At half of the speed it is too fast again, and goes on with the set in force.
    axis.enter_emergency()
    assert axis.admit(0.5, False, 0.5, found) is None and axis.in_emergency


def test_the_limits_of_a_period():
    rates = make_rates(UNEVEN, PERIOD)
    assert (rates.period, rates.velocity, rates.acceleration) == (PERIOD, 1.0, 4.0)
    assert (rates.quantum, rates.deceleration) == (1.0, 2.0)
    half = make_rates(UNEVEN, PERIOD, 0.5)
    assert (half.velocity, half.acceleration, half.quantum, half.deceleration) == (1, 2, 0.5, 1)
