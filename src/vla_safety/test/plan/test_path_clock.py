import math

from hypothesis import given
from hypothesis import strategies as st

from vla_safety.plan.path_clock import PathClock

PERIOD = 20_000_000
START = 10**12


def test_at_full_speed_path_time_is_the_time_itself():
    clock = PathClock()
    for k in range(100):
        clock.advance(START + k * PERIOD, 1.0)
    assert clock.lag == 0
    assert clock.at(START + 12345) == START + 12345


def test_path_time_is_the_integral_of_the_path_speed():
    clock, now, way = PathClock(), START, 0.0
    clock.advance(now, 1.0)
    for k in range(200):
        speed = 0.5 + 0.5 * math.sin(0.1 * k)
        now += PERIOD
        clock.advance(now, speed)
        way += speed * PERIOD
        assert abs(clock.at(now) - clock.at(START) - way) < 200


def test_an_observation_made_while_the_robot_stood_begins_where_it_stood():
    clock = PathClock()
    clock.advance(START, 1.0)
    clock.advance(START + 10 * PERIOD, 0.0)
    clock.advance(START + 20 * PERIOD, 1.0)
    # It moved only for the ten periods after the stand.
    assert clock.at(START + 20 * PERIOD) - clock.at(START + 5 * PERIOD) == 10 * PERIOD
    assert clock.at(START + 5 * PERIOD) == clock.at(START) == START
    # Half of a period at half speed.
    clock.advance(START + 21 * PERIOD, 0.5)
    middle = START + 20 * PERIOD + PERIOD // 2
    assert clock.at(middle) - clock.at(START + 20 * PERIOD) == PERIOD // 4


def test_before_what_is_known_and_in_the_future_time_goes_by_itself():
    clock = PathClock()
    clock.advance(START, 1.0)
    clock.advance(START + PERIOD, 0.25)
    assert clock.at(START - 7) == START - 7
    assert clock.at(START + PERIOD + 7) - clock.at(START + PERIOD) == 7


def test_forgetting_begins_anew():
    clock = PathClock()
    clock.advance(START, 1.0)
    clock.advance(START + PERIOD, 0.0)
    clock.forget()
    assert clock.lag == 0
    clock.advance(1000, 0.0)  # the first call only tells the time
    assert clock.at(1000) == 1000


@given(
    st.lists(st.tuples(st.integers(1, 10**8), st.floats(0.0, 1.0)), min_size=2, max_size=60),
    st.lists(st.integers(0, 10**9), min_size=2, max_size=20),
)
def test_path_time_never_goes_back_and_never_runs_ahead(periods, moments):
    clock, now, before = PathClock(), START, None
    clock.advance(now, 1.0)
    for length, speed in periods:
        now += length
        clock.advance(now, speed)
        tau = clock.at(now)
        assert before is None or before <= tau <= before + length
        before = tau
    times = sorted(START + moment for moment in moments)
    taus = [clock.at(time) for time in times]
    for k in range(1, len(times)):
        assert 0 <= taus[k] - taus[k - 1] <= times[k] - times[k - 1] + 1
