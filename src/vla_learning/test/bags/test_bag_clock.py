"""Stamps and times of reception are of one clock, or a message is of no use."""

import pytest

from vla_learning.bags.bag_clock import BagClock, ClockError
from vla_replay.bags.blocks import Key, Stored

SECOND = 1_000_000_000


def came(seconds, topic="/camera"):
    return Stored(Key(0, round(seconds * SECOND)), topic, "", b"")


def stamp(seconds):
    return round(seconds * SECOND)


def test_a_stamp_goes_before_the_time_of_reception():
    clock = BagClock()
    assert clock.image(came(10.05), stamp(10.0)) == stamp(10.0)
    assert clock.image(came(10.15), 0) == stamp(10.15)
    assert clock.other(came(10.2, "/twist"), stamp(10.1)) == stamp(10.1)
    assert clock.other(came(10.2, "/twist"), 0) == stamp(10.2)


def test_another_clock_is_refused_however_long_images_pause():
    clock = BagClock()
    clock.image(came(10.0), stamp(9.9))
    assert clock.other(came(500.0, "/twist"), 0) == stamp(500.0)
    with pytest.raises(ClockError, match=r"-400.0 s from those of the images"):
        clock.other(came(500.1, "/twist"), stamp(100.0))
    clock = BagClock()
    clock.image(came(10.0), stamp(1010.0))
    with pytest.raises(ClockError, match=r"no stamps, .* by -1000.0 s"):
        clock.other(came(10.0, "/twist"), 0)


def test_one_odd_stamp_of_a_camera_costs_one_image():
    clock = BagClock()
    for tick in range(5):
        clock.image(came(tick), stamp(tick + 0.5))
    with pytest.raises(ClockError, match="of another clock than those before it"):
        clock.image(came(5), stamp(9999.0))
    for tick in range(7, 9):
        odd = tick == 7  # the first one behind it has nothing that agrees with it but the rest
        assert clock.image(came(tick), stamp(tick + 0.5)) == stamp(tick + 0.5), odd


def test_a_clock_that_is_set_costs_one_image():
    clock = BagClock()
    clock.image(came(1), stamp(1))
    with pytest.raises(ClockError):
        clock.image(came(2), stamp(102))
    assert clock.image(came(3), stamp(103)) == stamp(103)
    assert clock.other(came(3.5, "/twist"), stamp(103.5)) == stamp(103.5)


def test_reception_by_the_clock_of_the_images():
    clock = BagClock()
    assert clock.received(came(5)) == stamp(5)
    clock.image(came(10.0), stamp(9.9))  # on its way for 0.1 s
    assert clock.received(came(11)) == stamp(11)
    clock = BagClock()
    clock.image(came(10.0), stamp(110.0))
    assert clock.received(came(11)) == stamp(111)
