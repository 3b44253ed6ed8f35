"""Closed forms of braking at numbers that can be followed by hand."""

import math

import pytest

from vla_safety.limits.braking import Rates

# T = 0.5 s, A = 3, q = 1, D = 2; and T = q = 1 with one bound, with A < D, with A > D.
UNEVEN = (0.5, 10.0, 3.0, 1.0, 2.0)
EVEN = (1.0, 10.0, 2.0, 1.0)
HARD = (1.0, 10.0, 1.0, 1.0, 3.0)
SOFT = (1.0, 10.0, 3.0, 1.0, 1.0)


def test_what_follows_from_the_limits():
    uneven, even = Rates(*UNEVEN), Rates(*EVEN)
    assert (uneven.reversal, uneven.symmetric, uneven.step_way) == (2.0, False, 0.25)
    assert uneven.landing == 0.5 * (2.0 + 1.0)
    assert (even.deceleration, even.reversal, even.symmetric) == (2.0, 2.0, True)
    assert (Rates(*HARD).reversal, Rates(*SOFT).reversal) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("limits", "least"),
    [
        (UNEVEN, 1.0),
        ((0.5, 10.0, 3.0, 4.0, 2.0), 2.0),
        ((0.5, 0.25, 3.0, 4.0, 2.0), 0.5),
    ],
)
def test_what_may_be_rounded_is_a_share_of_the_least_limit(limits, least):
    rates = Rates(*limits)
    assert rates.grain == pytest.approx(1e-10 * least)
    assert rates.grain_rate == pytest.approx(0.5e-10 * least)


@pytest.mark.parametrize(
    ("limits", "acceleration", "rate", "stop", "expected"),
    [
        (EVEN, 0.0, 1.0, None, (-1.0, 1.0)),
        (EVEN, 1.5, 1.0, None, (0.5, 2.0)),
        (EVEN, 5.0, 1.0, None, (2.0, 2.0)),
        (EVEN, -5.0, 1.0, None, (-2.0, -2.0)),
        (HARD, -2.0, 9.0, None, (-3.0, -1.0)),
        (HARD, -2.0, 2.0, None, (-1.5, -1.0)),  # -1.5 and -0.5 bring 2 to rest
        (HARD, -2.0, 1.0, None, (-1.0, -1.0)),
        (HARD, -2.0, 1.0, -2.0, (-2.0, -1.0)),
        (HARD, 2.0, -2.0, None, (1.0, 1.5)),
        (HARD, 0.0, 0.0, None, (-1.0, 1.0)),
        (HARD, 0.5, 9.0, None, (-0.5, 1.0)),
        (SOFT, 2.0, 2.0, None, (1.0, 3.0)),
        (SOFT, -0.5, 2.0, None, (-1.0, 0.5)),
        (SOFT, -0.5, -2.0, None, (-1.5, 0.5)),
        (SOFT, -5.0, 2.0, None, (-1.0, -1.0)),
        (SOFT, 5.0, -2.0, None, (1.0, 1.0)),
        (SOFT, -2.5, 0.0, None, (-3.0, -1.5)),
    ],
)
def test_the_accelerations_that_may_follow(limits, acceleration, rate, stop, expected):
    assert Rates(*limits).window(acceleration, rate, stop) == expected


@pytest.mark.parametrize(
    ("limits", "rate", "acceleration", "expected"),
    [
        (EVEN, 1.0, 2.0, True),
        (EVEN, 1.0, -2.0, True),
        (EVEN, 1.0, 2.1, False),
        (HARD, 1.0, 1.0, True),
        (HARD, 1.0, 1.1, False),  # speeding up
        (HARD, -1.0, -1.1, False),
        (HARD, 0.0, 1.1, False),
        (HARD, 5.0, -3.0, True),
        (HARD, 5.0, -3.1, False),
        (HARD, 3.0, -3.0, True),  # 2 and 1 more: just to rest
        (HARD, 2.9, -3.0, False),
        (HARD, -3.0, 3.0, True),
        ((1.0, 10.0, 1.0, 0.5, 3.0), 0.1, -1.0, True),  # may be kept while the sign changes
        ((1.0, 10.0, 1.0, 0.5, 3.0), 0.1, -1.1, False),
        (SOFT, 1.0, 3.0, True),
        (SOFT, 1.0, -1.1, False),
        (SOFT, 0.0, 3.0, True),
        (SOFT, 0.0, 3.1, False),
    ],
)
def test_from_which_states_the_motion_can_go_on(limits, rate, acceleration, expected):
    assert Rates(*limits).viable(rate, acceleration) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [(1.0, 2.0, 1.0), (2.0, 1.0, 3.0), (1.0, -2.0, 1.0), (1.0, 0.0, 3.0), (0.0, -1.0, 1.0),
     (-1.0, -1.0, 1.0), (-2.0, -1.0, 3.0)],
)  # fmt: skip
def test_the_bound_of_a_period(before, after, expected):
    assert Rates(*HARD).bound(before, after) == expected


@pytest.mark.parametrize(
    ("limits", "rate", "acceleration", "aim", "expected"),
    [
        (EVEN, 0.0, 0.0, 9.0, 1.0),
        (EVEN, 0.0, 1.0, 9.0, 2.0),
        (EVEN, 0.0, 2.0, 9.0, 2.0),
        (EVEN, 0.0, 1.0, 1.5, 1.25),  # 1.25 and 0.25
        (EVEN, 0.0, -1.0, -1.5, -1.25),
        (EVEN, 1.0, 2.0, 0.0, 1.0),
        (HARD, 9.0, -2.0, 0.0, -3.0),
        (HARD, 2.0, -2.0, -9.0, -1.5),
        (HARD, 0.5, -2.0, -9.0, -1.0),
        (HARD, -2.0, 2.0, 9.0, 1.5),
        (HARD, 2.0, 0.0, 9.0, 1.0),
        (SOFT, 4.0, -1.0, 0.0, -1.0),
        (SOFT, 1.0, 2.5, 9.0, 3.0),
    ],
)
def test_an_acceleration_towards_an_aim(limits, rate, acceleration, aim, expected):
    assert Rates(*limits).towards(rate, acceleration, aim) == expected


@pytest.mark.parametrize(
    ("rate", "acceleration", "peak", "reach"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (2.0, 0.0, 2.0, 6.0),  # 2 * (0.5 + 0.5 + 4 * 0.5)
        (-2.0, 0.0, 2.0, 6.0),
        (2.0, 1.0, 2.0, 7.0),
        (2.0, -1.0, 2.0, 6.0),
        (2.0, 2.0, 2.5, 10.3125),  # 2.5 * (0.5 + 0.625 + 6 * 0.5)
        (-2.0, -2.0, 2.5, 10.3125),
        (2.0, -2.0, 2.0, 6.0),
        (0.25, -3.0, 1.25, 5.390625),  # 1.5 back: 1.25 * (0.5 + 0.3125 + 7 * 0.5)
        (0.0, 3.0, 1.5, 6.5625),
    ],
)
def test_the_peak_and_a_bound_of_the_way(rate, acceleration, peak, reach):
    assert Rates(*UNEVEN).peak(rate, acceleration) == peak
    assert Rates(*UNEVEN).reach_at_most(rate, acceleration) == pytest.approx(reach)


@pytest.mark.parametrize(
    ("limits", "rate", "acceleration", "expected"),
    [
        (HARD, 9.0, 0.0, 8 + 6 + 3 + 1),
        (HARD, 12.0, 0.0, 11 + 9 + 6 + 3 + 1),
        (HARD, 15.0, 0.0, 14 + 12 + 9 + 6 + 3 + 1),
        (HARD, 13.0, 0.0, 12 + 10 + 7 + 4 + 5 / 3 + 1 / 3),
        (HARD, 21.0, 0.0, 20 + 18 + 15 + 12 + 9 + 6 + 3 + 1),
        ((1.0, 10.0, 0.5, 0.5, 1.5), 4.5, 0.0, 4 + 3 + 1.5 + 0.5),
        ((1.0, 10.0, 2.0, 2.0, 6.0), 18.0, 0.0, 16 + 12 + 6 + 2),
        ((1.0, 10.0, 3.0, 2.0, 3.0), 4.75, 1.0, 3.75 + 0.875),  # -1, -2.875 and -0.875
        ((1.0, 10.0, 3.0, 2.0, 3.0), 0.75, 1.0, 0.0),
        (UNEVEN, 1.0, 0.0, 0.5 * 0.5),
        ((0.5, 10.0, 3.0, 0.5, 2.0), 0.0, 1.0, 0.5 * (0.25 + 0.25)),
        (HARD, 0.0, 3.0, 2 + 3 + 3 + 2 + 0.5),
        (EVEN, 2.0, 2.0, 3 + 3 + 2 + 0.5),
        (EVEN, 0.5, 0.0, 0.0),
        (EVEN, 1.0, -1.0, 0.0),
        (EVEN, 0.5, -2.0, -0.5 - 0.5),
        (SOFT, 3.0, 0.0, 2 + 1),
    ],
)
def test_the_way_to_rest(limits, rate, acceleration, expected):
    assert Rates(*limits).stopping_distance(rate, acceleration) == pytest.approx(expected)
    assert Rates(*limits).stopping_distance(-rate, -acceleration) == pytest.approx(-expected)


def test_gains_by_hand():
    uneven = Rates(*UNEVEN)
    assert [uneven.gain(a) for a in (0.0, 0.5, 1.0, 2.5)] == [0.0, 0.25, 0.5, 2.25]
    assert [uneven.drift(a) for a in (1.0, 1.5, -1.5, 3.5)] == [0.0, 0.25, -0.25, 2.25]
    assert [uneven.acceleration_for(v) for v in (0.25, 2.25, -2.25)] == [0.5, 2.5, -2.5]
    assert math.copysign(1.0, Rates(*EVEN).acceleration_for(0.0)) == 1.0
