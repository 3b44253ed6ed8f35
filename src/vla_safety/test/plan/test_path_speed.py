import dataclasses
import math

import numpy as np
import pytest
from core_rig import ARM, SPACE
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.action_space import Norms
from vla_safety.limits.axes import Limit, LimitViolation
from vla_safety.limits.norms import SpeedCap
from vla_safety.plan.path_speed import FREE, Factor, PathSpeed, velocity_ceilings

T = SPACE.period
RATES = [0.4, 0.0]
factors = st.floats(0.0, 1.0)
rates = st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)).map(list)


def settle(speed, value, moving=RATES, periods=200):
    for _ in range(periods):
        speed.advance(moving, [Factor("zone", value)])
    return speed.value


def test_nothing_slows_by_itself():
    speed = PathSpeed(SPACE)
    assert speed.advance(RATES) == 1.0
    assert speed.factor is FREE


def test_the_least_factor_decides_and_is_named():
    speed = PathSpeed(SPACE)
    for _ in range(200):
        speed.advance(RATES, [Factor("people", 0.7), Factor("obstacle", 0.3), FREE])
    assert speed.value == 0.3
    assert speed.factor.name == "obstacle"


def test_it_goes_down_and_up_within_the_limits_of_the_dimension_that_moves():
    speed, limits = PathSpeed(SPACE), SPACE.dimensions[0].normal
    values = [1.0, 1.0]
    for target in [0.0] * 100 + [1.0] * 100:
        values.append(speed.advance(RATES, [Factor("zone", target)]))
    assert min(values) == 0.0 and values[-1] == 1.0
    v = 0.4 * np.array(values)
    assert np.abs(np.diff(v)).max() / T <= limits.acceleration * (1 + 1e-9)
    assert np.abs(np.diff(v, 2)).max() / T**2 <= limits.jerk * (1 + 1e-9)
    # And it uses them: 0.4 m/s at 1 m/s^2 and 10 m/s^3 take 0.5 s.
    assert values[2:].index(0.0) <= 0.5 / T + 3


def test_what_stands_may_be_as_slow_at_once():
    speed = PathSpeed(SPACE)
    assert settle(speed, 0.0, [0.0, 0.0], 2) == 0.0


def test_after_slowing_it_is_told_what_it_was_until_the_speed_is_full():
    speed = PathSpeed(SPACE)
    settle(speed, 0.5)
    speed.advance(RATES)
    assert speed.value < 1.0 and speed.factor.name == "zone"
    for _ in range(100):
        speed.advance(RATES)
    assert speed.value == 1.0 and speed.factor is FREE


def test_a_factor_that_is_no_number_stops():
    assert settle(PathSpeed(SPACE), math.nan) == 0.0
    assert settle(PathSpeed(SPACE), -1.0) == 0.0
    assert settle(PathSpeed(SPACE), 7.0) == 1.0


def test_a_ceiling_holds_at_once_and_the_way_up_has_its_rate():
    speed = PathSpeed(SPACE)
    told = LimitViolation(Limit.VELOCITY, "x", 1.0, 0.5)
    assert speed.advance(RATES, [], [Factor("velocity", 0.5, told)]) == 0.5
    assert speed.factor.violation is told
    after = speed.advance(RATES)
    assert 0.5 < after <= 0.5 + SPACE.dimensions[0].normal.jerk * T * T / 0.4 + 1e-12


@given(st.lists(st.tuples(factors, rates), min_size=1, max_size=80))
def test_it_stays_between_0_and_1_and_within_its_rate(periods):
    speed = PathSpeed(SPACE)
    for target, moving in periods:
        before, bounds = speed.value, speed.bounds(moving)
        value = speed.advance(moving, [Factor("zone", target)])
        assert 0.0 <= value <= 1.0
        assert value - before <= bounds.acceleration * T * (1 + 1e-9) + 1e-9
        assert before - value <= bounds.deceleration * T * (1 + 1e-9) + 1e-9
        # It never goes further than it is asked to.
        if bounds.quantum / bounds.acceleration > 1.0:
            assert min(before, target) - 1e-9 <= value <= max(before, target) + 1e-9


@given(
    st.lists(st.tuples(factors, rates), min_size=1, max_size=40),
    st.floats(0.0, 1.0),
    st.floats(-0.1, 1.0),
)
def test_no_dimension_and_no_norm_exceeds_its_limit(periods, scale, capped):
    space = dataclasses.replace(SPACE, norms=Norms(0.3, None))
    cap = SpeedCap(capped, Limit.SPEED_ZONE, "shop")
    speed = PathSpeed(space)
    for target, (x, _) in periods:
        moving = [x, 0.0]
        ceilings = velocity_ceilings(space, moving, scale, cap)
        s = speed.advance(moving, [Factor("zone", target)], ceilings)
        assert abs(s * x) <= min(0.3 * scale, max(0.0, capped)) + 1e-12


@given(st.floats(-1e6, 1e6), st.floats(0.0, 1.0))
def test_a_ceiling_is_the_greatest_speed_that_keeps_the_limit(rate, scale):
    found = velocity_ceilings(ARM, [rate], scale)
    top = 0.5 * scale
    if abs(rate) <= top:
        assert found == []
    else:
        (only,) = found
        assert abs(only.value * rate) == pytest.approx(top, rel=1e-9)
        assert abs(only.value * rate) <= top


def test_a_ceiling_says_which_limit_it_is_of():
    def limit(rate, scale):
        (only,) = velocity_ceilings(SPACE, [rate, 0.0], scale)
        return only.violation.limit, only.name

    assert limit(0.4, 0.5) == (Limit.SPEED_SCALE, "speed scale of x")
    assert limit(0.6, 0.5) == (Limit.VELOCITY, "velocity of x")


def test_a_gripper_that_jumps_slows_nothing():
    assert velocity_ceilings(SPACE, [0.0, 100.0], 1.0) == []


def test_rates_that_are_no_numbers_are_left_to_the_limiter():
    for rate in (math.nan, math.inf, -math.inf):
        assert velocity_ceilings(SPACE, [rate, 0.0], 1.0) == []
        assert PathSpeed(SPACE).advance([rate, 0.0], [Factor("zone", 0.5)]) < 1.0
