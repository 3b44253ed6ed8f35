"""Velocities whose request runs just along a limit, or through one."""

import pytest

from vla_contract.action_space import Dimension, Kind, Limits, Output
from vla_safety.limits.axes import Limit
from vla_safety.limits.velocity_axis import VelocityAxis

PERIOD = 0.01


def axis(normal, low=-2.0, high=2.0, period=PERIOD):
    return VelocityAxis(
        Dimension(
            "d", Kind.LINEAR_VELOCITY, "m/s", low, high, low, high, normal, normal, "f",
            Output("out", "std_msgs/msg/Float64", "data"),
        ),
        period,
    )  # fmt: skip


def move(one, request, scale=1.0):
    """A period of an axis alone; its value and what it reports."""
    found = []
    one.begin(request, False, scale, found)
    one.choose(one.aim())
    return one.finish(found), found


def ramp(start, accelerations):
    value = start
    for acceleration in accelerations:
        value += acceleration * PERIOD
        yield value


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(
    ("limits", "start", "most", "step"),
    [
        (Limits(1.0, 5.0, 50.0), 0.0, 5.0, 0.5),
        (Limits(2.0, 2.0, 50.0, 8.0), 1.9, -8.0, -0.5),
        (Limits(2.0, 8.0, 50.0, 2.0), 0.1, 8.0, 0.5),
    ],
)
def test_a_request_just_at_the_limits_passes_unchanged(sign, limits, start, most, step):
    # Up to the greatest acceleration with the greatest change, two periods there, and back.
    count = round(most / step)
    up = [step * k for k in range(1, count + 1)]
    plan = [*up, most, most, *up[-2::-1], 0.0, 0.0]
    one = axis(limits)
    one.reset(sign * start)
    for request in ramp(start, plan):
        value, found = move(one, sign * request)
        assert value == pytest.approx(sign * request, abs=1e-12)
        assert found == []


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_ramp_that_goes_on_beyond_the_limit_levels_off_there(sign):
    one = axis(Limits(1.0, 5.0, 50.0))
    plan = [min(0.5 * k, 5.0) for k in range(1, 40)]
    values = [sign * move(one, sign * request)[0] for request in ramp(0.0, plan)]
    assert max(values) == pytest.approx(1.0, abs=1e-12) and values[-1] == 1.0


def test_a_request_beyond_a_range_that_ends_at_the_velocity_limit_is_blamed_on_the_range():
    one = axis(Limits(0.5, 5.0, 50.0), -0.5, 0.5)
    for request in (0.9, -0.9):
        limits = [v.limit for v in move(one, request)[1]]
        assert Limit.RANGE in limits
        assert Limit.VELOCITY not in limits and Limit.SPEED_SCALE not in limits
    limits = [v.limit for v in move(one, 0.5, scale=0.5)[1]]
    assert Limit.SPEED_SCALE in limits and Limit.RANGE not in limits


@pytest.mark.parametrize("limits", [Limits(1.0, 5.0, 50.0), Limits(1.0, 5.0, 50.0, 2.0)])
@pytest.mark.parametrize("left", [1e-13, -1e-13])
def test_rest_is_met_exactly_where_it_separates_two_bounds(limits, left):
    one = axis(limits)
    one.reset(0.004)
    move(one, -0.5)
    one.value = 0.01
    one.apply(-1.0 + left / PERIOD)
    uneven = limits.acceleration != limits.deceleration
    assert (one.next == 0.0) is uneven and one.next == pytest.approx(left, abs=1e-12)


def test_a_reset_forgets_the_request_before():
    # 5 m/s2 are asked for from the start: 0.5 in the first period, as without a past.
    values = []
    for past in ((), (0.1, 0.2, 0.3)):
        one = axis(Limits(1.0, 5.0, 50.0))
        for request in past:
            move(one, request)
        one.reset(0.25)
        values.append([move(one, request)[0] for request in ramp(0.25, [0.5, 1.0, 1.5, 1.5])])
    assert values[0] == values[1] == pytest.approx([0.255, 0.265, 0.28, 0.295])


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("slope", [0.0, 4.0])
def test_a_request_still_counts_as_smooth_just_at_what_rounding_may_add(sign, slope):
    # T = 1/8, q = 1, A = 4: floats hold these slopes as they are.
    one = axis(Limits(9.0, 4.0, 8.0), -9.0, 9.0, 0.125)
    one._slope = sign * slope
    one.begin(sign * max(slope, 1.0) * (1.0 + 1e-9) / 8.0, False, 1.0, [])
    assert sign * one.aim() > sign * one.target


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("target", [0.0, -1.0])
def test_a_velocity_that_is_off_by_the_grain_is_met(sign, target):
    # At its target; or at rest, where two bounds meet.
    limits = Limits(1.0, 4.0, 8.0) if target == 0.0 else Limits(1.0, 4.0, 8.0, 2.0)
    one = axis(limits, period=0.125)
    one.begin(target, False, 1.0, [])
    one.apply(sign * one.rates.grain_rate / 0.125)
    assert one.next == 0.0
    one.apply(sign * one.rates.grain_rate / 0.125 * 1.01)
    assert one.next != 0.0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_target_just_beyond_rest_is_no_reason_to_change_the_sign(sign):
    # It may fall by 2 and grow by 1 in a period, so to fall by more than 1 it must not pass 0.
    one = axis(Limits(2.0, 1.0, 800.0, 2.0), period=1.0)
    one.reset(sign * 1.5)
    one.begin(-sign * 1e-13, False, 1.0, [])
    one.apply(-sign * 1.5)
    assert one.next == 0.0
