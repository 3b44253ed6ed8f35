"""The last good images stand in for a bounded time, and a flood is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_perception.cameras.image_hold import ImageHold
from vla_perception.cameras.rate_gate import RateGate


def ns(seconds):
    return round(seconds * 1e9)


def running(longest=0.3, rate=30.0):
    """A hold after a second of sets; times and stamps agree."""
    hold = ImageHold(longest)
    for i in range(int(rate) + 1):
        hold.new(i, ns(100.0 + i / rate), i / rate)
    return hold


def test_it_repeats_the_last_set_within_its_time_with_rising_stamps():
    hold = running()
    stamps = []
    for i in range(20):
        at = 1.01 + i * 0.051
        repeated = hold.repeat(at, ns(100.0 + at))
        assert (repeated is not None) == (0.149 < at - 1.0 < 0.299), at
        if repeated is not None:
            assert repeated[0] == 30
            stamps.append(repeated[1])
    assert stamps == [ns(101.0) + i for i in range(1, len(stamps) + 1)]


def test_a_new_set_ends_it_and_a_slow_camera_is_no_gap():
    hold = running()
    assert hold.repeat(1.2, ns(101.2)) is not None
    hold.new("new", ns(101.2), 1.2)
    assert hold.repeat(1.25, ns(101.25)) is None
    slow = running(longest=10.0, rate=5.0)
    assert slow.repeat(1.5, ns(101.5)) is None
    assert slow.repeat(1.7, ns(101.7)) is not None


def test_never_before_a_set_after_a_jump_or_where_it_is_off():
    assert ImageHold(0.3).repeat(1.0, ns(1.0)) is None
    hold = running()
    hold.forget()
    assert hold.repeat(1.2, ns(101.2)) is None
    assert running(longest=0.0).repeat(1.2, ns(101.2)) is None
    assert running().repeat(1.2, ns(50.0)) is None, "the clock went back"


@given(st.floats(0.01, 2.0), st.lists(st.floats(0.0, 0.5), max_size=60))
def test_nothing_older_than_its_time_is_ever_repeated(longest, pauses):
    hold, at = running(longest), 1.0
    for pause in pauses:
        at += pause
        repeated = hold.repeat(at, ns(100.0 + at))
        if repeated is not None:
            assert ns(100.0 + at) - repeated[1] <= ns(longest)


@given(st.floats(1.0, 200.0), st.lists(st.floats(0.0, 0.1), max_size=200))
def test_a_rate_is_bounded_in_the_long_run(rate, pauses):
    gate, at, passed = RateGate(rate, 10), 0.0, 0
    for pause in pauses:
        at += pause
        passed += gate.passes(at)
    assert passed <= 10 + rate * at + 1


def test_what_keeps_its_rate_passes_and_zero_lets_all_pass():
    gate = RateGate(100.0, 10)
    assert all(gate.passes(i / 90) for i in range(1000))
    flood = sum(gate.passes(20.0 + i / 1000) for i in range(1000))
    assert flood == pytest.approx(110, abs=2)
    assert all(RateGate(0.0, 1).passes(0.0) for _ in range(1000))


def test_its_bounds_are_of_the_time_themselves():
    hold = ImageHold(0.5)
    hold.new("set", ns(10.0), 0.0)
    assert hold.holds(ns(10.0)) and hold.holds(ns(10.5) - 1) and not hold.holds(ns(10.5))
    assert not hold.overdue(0.149) and hold.overdue(0.15)
    assert hold.repeat(0.25, ns(10.25)) == ("set", ns(10.0) + 1)
    assert hold.repeat(0.2999, ns(10.29)) is None
    assert hold.repeat(0.3001, ns(10.3)) == ("set", ns(10.0) + 2)


def test_a_gate_without_rest_lets_one_more_pass_after_its_period():
    gate = RateGate(4.0, 1)
    assert [gate.passes(at) for at in (0.0, 0.125, 0.25, 0.5)] == [True, False, True, True]
