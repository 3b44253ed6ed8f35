"""Who holds control, who drives, and which twists are taken."""

import math

import pytest

from vla_console.operator_control import OLDEST_TWIST, ControlError, OperatorControl, Role


@pytest.fixture
def control():
    return OperatorControl((0.2, 0.5))


def test_at_most_one_page_holds_control(control):
    control.take(1, "page 1", Role.OPERATOR)
    control.take(1, "page 1", Role.OPERATOR)  # again does no harm
    with pytest.raises(ControlError, match="page 1 holds control"):
        control.take(2, "page 2", Role.OPERATOR)
    with pytest.raises(ControlError, match="page 1 holds control; this page may watch, and stop"):
        control.require(2)
    assert not control.give_up(2, 0.0) and control.give_up(1, 0.0)
    control.take(2, "page 2", Role.OPERATOR)
    control.require(2)


def test_a_viewer_never_holds_control(control):
    with pytest.raises(ControlError, match="paired as a viewer"):
        control.take(1, "page 1", Role.VIEWER)
    with pytest.raises(ControlError, match="nobody holds control"):
        control.require(1)


def drive(control, share, sent=0.0, arrived=0.01):
    return control.twist(1, [share] * 6, sent, arrived)


def test_a_twist_needs_a_takeover_and_stays_within_the_greatest_speeds(control):
    control.take(1, "page 1", Role.OPERATOR)
    with pytest.raises(ControlError, match="take over first"):
        drive(control, 1.0)
    control.begin_takeover(1, 100.0, 0.0)
    assert drive(control, 0.5) == pytest.approx((0.1,) * 3 + (0.25,) * 3)
    assert drive(control, 99.0) == pytest.approx((0.2,) * 3 + (0.5,) * 3)
    assert drive(control, -99.0) == pytest.approx((-0.2,) * 3 + (-0.5,) * 3)
    with pytest.raises(ControlError):
        control.twist(2, [0.0] * 6, 0.0, 0.0)


def test_what_a_stalled_connection_delivers_later_does_not_move_the_robot(control):
    control.take(1, "page 1", Role.OPERATOR)
    control.begin_takeover(1, 100.0, 0.0)
    drive(control, 0.5, sent=500.0, arrived=10.0)  # the page's clock is its own
    drive(control, 0.5, sent=500.1, arrived=10.1 + 0.9 * OLDEST_TWIST)
    with pytest.raises(ControlError, match="too late"):
        drive(control, 0.5, sent=500.2, arrived=10.2 + 1.1 * OLDEST_TWIST)


def test_takeovers_are_told_from_the_beginning_of_an_episode(control):
    control.take(1, "page 1", Role.OPERATOR)
    control.begin_takeover(1, 100.0, 0.0)
    assert control.end_takeover(103.0) and not control.end_takeover(104.0)
    control.begin_takeover(1, 110.0, 0.0)
    assert control.takeovers_since(102.0, 112.0) == [(0.0, 1.0), (8.0, 10.0)]
    control.give_up(1, 115.0)  # its page is gone
    assert control.driving is None
    assert control.takeovers_since(102.0, 200.0) == [(0.0, 1.0), (8.0, 13.0)]


def test_a_page_that_says_nothing_any_more_drives_no_more(control):
    control.take(1, "page 1", Role.OPERATOR)
    assert not control.fell_silent(math.inf)
    control.begin_takeover(1, 100.0, 7.0)
    assert not control.fell_silent(7.4) and control.fell_silent(7.6)
