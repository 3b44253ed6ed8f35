import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vla_safety.limits.braking import Rates

rates = st.builds(
    Rates,
    period=st.sampled_from([0.0125, 0.02, 0.001]),
    velocity=st.just(1.0),
    acceleration=st.floats(0.5, 100.0),
    quantum=st.floats(0.01, 100.0),
)


def simulated(rates, v, a):
    """Period by period: displacement, last rate, number of periods."""
    x, periods = 0.0, 0
    while (abs(v) > 1e-13 or abs(a) > rates.quantum) and periods < 100_000:
        a = rates.brake(v, a)
        v += a * rates.period
        x += v * rates.period
        periods += 1
    return x, v, periods


@given(rates, st.floats(-3.0, 3.0), st.floats(-1.0, 1.0))
def test_the_stopping_distance_is_that_of_the_brake_simulated(rates, v, share):
    a = share * rates.acceleration
    x, last, _ = simulated(rates, v, a)
    assert abs(last) <= 1e-12
    assert rates.stopping_distance(v, a) == pytest.approx(x, rel=1e-8, abs=1e-9)


@given(rates, st.floats(-3.0, 3.0), st.floats(-1.0, 1.0), st.floats(0.0, 1.0))
def test_the_stopping_distance_grows_with_the_acceleration(rates, v, share, more):
    low = share * rates.acceleration
    high = low + more * (rates.acceleration - low)

    def end(a):
        rate = v + a * rates.period
        return rate * rates.period + rates.stopping_distance(rate, a)

    assert end(high) >= end(low) - 1e-9


@given(rates, st.floats(0.0, 5.0))
def test_the_acceleration_for_a_change_gains_just_that(rates, change):
    a = rates.acceleration_for(change)
    assert rates.gain(a) == pytest.approx(change, rel=1e-9, abs=1e-12)
    assert rates.acceleration_for(-change) == -a or change == 0.0


@given(rates, st.floats(0.0, 3.0))
def test_the_brake_never_overshoots_zero(rates, v):
    a = 0.0
    for _ in range(20_000):
        a = rates.brake(v, a)
        v += a * rates.period
        assert v >= -1e-12
        if v <= 1e-13:
            break
    assert v <= 1e-13


@given(rates, st.floats(-1.0, 1.0))
def test_the_drift_is_what_ramping_down_gains(rates, share):
    a = share * rates.acceleration
    gained, left = 0.0, abs(a) - rates.quantum
    while left > 0.0:
        gained += left * rates.period
        left -= rates.quantum
    assert rates.drift(a) == pytest.approx(math.copysign(gained, a), rel=1e-9, abs=1e-12)


def test_a_brake_by_hand():
    # T = 1, q = 1, A = 2, v = 4: -1, -2, -1 gives 3, 1, 0, with 4 in all.
    by_hand = Rates(1.0, 10.0, 2.0, 1.0)
    assert by_hand.stopping_distance(4.0, 0.0) == pytest.approx(4.0)
    assert by_hand.stopping_distance(-4.0, 0.0) == pytest.approx(-4.0)
    assert by_hand.stopping_distance(0.0, 0.0) == 0.0


uneven = st.builds(
    Rates,
    period=st.sampled_from([0.0125, 0.02, 0.001]),
    velocity=st.just(1.0),
    acceleration=st.floats(0.5, 20.0),
    quantum=st.floats(0.1, 20.0),
    deceleration=st.floats(0.5, 20.0),
)


@given(uneven, st.floats(-3.0, 3.0), st.floats(-1.0, 1.0))
def test_with_a_deceleration_of_its_own_the_brake_keeps_both_bounds(rates, v, share):
    a = share * max(rates.acceleration, rates.deceleration)
    assume(rates.viable(v, a))
    expected, x = rates.stopping_distance(v, a), 0.0
    at_most = rates.reach_at_most(v, a)
    for _ in range(20_000):
        if abs(v) <= 1e-12 and abs(a) <= rates.quantum:
            break
        before, last = v, a
        a = rates.brake(v, a)
        v += a * rates.period
        x += v * rates.period
        bound = rates.bound(0.0 if abs(before) <= 1e-12 else before, 0.0 if abs(v) <= 1e-12 else v)
        assert abs(a) <= bound * (1 + 1e-9)
        assert abs(a - last) <= rates.quantum * (1 + 1e-9)
        assert abs(x) <= at_most + 1e-12
    assert expected == pytest.approx(x, rel=1e-7, abs=1e-9)


@given(uneven, st.floats(0.0, 3.0), st.floats(-3.0, 3.0))
def test_a_period_towards_an_aim_leaves_a_viable_state(rates, v, aim):
    a = 0.0
    for _ in range(60):
        last = a
        a = rates.towards(v, a, aim)
        low, high = rates.window(last, v)
        assert low - 1e-9 <= a <= high + 1e-9
        v += a * rates.period
        if abs(v) <= rates.grain_rate:
            v = 0.0
        assert rates.viable(v + math.copysign(rates.grain_rate, v), a)


def test_a_brake_with_a_greater_deceleration_by_hand():
    # T = 1, q = 1, A = 1, D = 3, v = 9: -1, -2, -3, -2, -1 gives 8, 6, 3, 1, 0.
    by_hand = Rates(1.0, 10.0, 1.0, 1.0, 3.0)
    assert by_hand.stopping_distance(9.0, 0.0) == pytest.approx(18.0)
    # To turn back it has eased to what it may accelerate with.
    assert by_hand.towards(1.0, -2.0, -5.0) == -1.0
    assert by_hand.towards(-0.5, -1.0, -5.0) == -1.0
