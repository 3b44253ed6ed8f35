"""Norms at which a changed comparison would name, share or take something else."""

import math

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_safety.limits import norms
from vla_safety.limits.limiter import Limit, MotionLimiter, SpeedCap
from vla_safety.limits.norms import Norm, NormGroup
from vla_safety.limits.velocity_axis import VelocityAxis

PERIOD = 0.01
EVEN = Limits(1.0, 5.0, 50.0)  # a change of 0.5 m/s2 per period


def dimension(name):
    return Dimension(
        name, Kind.LINEAR_VELOCITY, "m/s", -1.0, 1.0, -1.0, 1.0, EVEN, EVEN, "f",
        Output("out", "std_msgs/msg/Float64", "data"),
    )  # fmt: skip


def limiter(*start, norm=0.6):
    made = tuple(dimension(f"d{i}") for i in range(len(start)))
    space = ActionSpace("test", 1.0 / PERIOD, 10, PERIOD, 1e6, made, Norms(linear_velocity=norm))
    found = MotionLimiter(space)
    found.reset(start)
    return found


def named(step):
    return [v.limit for v in step.violations if not v.dimension]


def test_the_bound_in_force_tells_whose_it_is():
    group = NormGroup(Norm("linear", (0,), 0.6), [])
    assert group.bound(1.0, None) == SpeedCap(0.6, Limit.NORM, "linear")
    assert group.bound(0.5, None) == SpeedCap(0.3, Limit.SPEED_SCALE, "linear")
    equal, less = (SpeedCap(value, Limit.OBSTACLE, "scan") for value in (0.6, 0.5))
    assert group.bound(1.0, equal) == SpeedCap(0.6, Limit.NORM, "linear")
    assert group.bound(1.0, less) == less


def test_without_a_bound_no_scale_makes_one():
    group = NormGroup(Norm("linear", (0,), math.inf), [])
    assert [group.bound(scale, None).value for scale in (1.0, 0.5, 0.0)] == [math.inf] * 3


def test_a_request_at_the_bound_is_not_named_for_its_rounding():
    angles = (k * 1e-3 for k in range(1, 1500))
    request = next(
        (x, y)
        for x, y in ((0.6 * math.cos(a), 0.6 * math.sin(a)) for a in angles)
        if x * x + y * y > 0.6 * 0.6
    )
    assert named(limiter(*request).step(request)) == []


def test_the_scale_is_to_blame_up_to_the_full_norm():
    for speed, limit in ((0.4, Limit.SPEED_SCALE), (0.41, Limit.NORM)):
        assert named(limiter(0.0, norm=0.4).step([speed], speed_scale=0.5)) == [limit]


def test_what_finds_room_at_its_own_pace_is_not_reported():
    # Peaks of 0.5 and 0.332 would be too much; the first falls to 0.495 in this period.
    step = limiter(0.5, 0.33).step([0.2, 0.332])
    assert step.safe == pytest.approx([0.495, 0.332])
    assert [v.dimension for v in step.violations] == ["d0"]


@pytest.mark.parametrize(("end", "expected"), [(0.25, []), (0.2242, [Limit.NORM])])
def test_a_lead_beyond_the_norm_is_reported_where_an_axis_does_less_than_it_can(end, expected):
    # d0's request speeds up with 5 m/s2, of which it gets 0.225 m/s more; so both aims have to be
    # reduced at its end. That takes 0.014 m/s from d1's 0.4, which it gives as fast as it can, or
    # 0.001, in one period. d0 is behind and does all that it can.
    made = limiter(end - 0.6, 0.4)
    for k in range(1, 12):
        step = made.step([end - 0.05 * (11 - k), 0.4])
        assert k == 11 or named(step) == []
    assert named(step) == expected
    assert step.safe[1] < 0.4


@pytest.mark.parametrize(
    ("value", "acceleration", "aim", "expected"),
    [
        (0.1, -3.0, 0.0, False),  # 0.075 more are lost for sure
        (0.074, -3.0, 0.0, True),
        (-0.074, 3.0, 0.0, True),
        (0.075, -3.0, 0.0, False),
        (0.2, 3.0, 0.1, False),
        (0.2, 0.0, -0.1, True),
        (0.0, 0.0, 0.1, True),
        (1.0, 0.0, 0.5, False),
    ],
)
def test_an_axis_turns_where_it_has_to_or_where_its_aim_is(value, acceleration, aim, expected):
    axis = VelocityAxis(dimension("d"), PERIOD)
    axis.value, axis.acceleration = value, acceleration
    assert norms._turns(axis, aim) is expected
