"""The answer to a tick is the same in whatever order its messages come."""

import itertools
import math

import pytest

from vla_sim.node.tick_exchange import Answer, Exchange, Twist, Unstamped

TWIST = Twist((0.1, 0.2, 0.3), "base_link")


def effort(value):
    return Unstamped((value,))


@pytest.fixture
def exchange():
    exchange = Exchange()
    exchange.ask(7, 700)
    return exchange


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_every_order_gives_the_same_answer(exchange, order):
    messages = (
        lambda: exchange.safe_action(7, True, (0.5,)),
        lambda: exchange.twist(700, TWIST),
        lambda: exchange.unstamped(effort(0.5)),
    )
    for count, index in enumerate(order):
        assert exchange.pop_answer() is None, f"complete after {count} messages"
        messages[index]()
    assert exchange.pop_answer() == Answer(7, True, TWIST, effort(0.5))
    assert exchange.pop_answer() is None


def test_disconnected_outputs_need_the_safe_action_alone(exchange):
    exchange.safe_action(7, False, (0.5,))
    assert exchange.pop_answer() == Answer(7, False, None, None)


def test_without_a_gripper_no_effort_is_waited_for(exchange):
    exchange.safe_action(7, True, None)
    exchange.twist(700, TWIST)
    assert exchange.pop_answer() == Answer(7, True, TWIST, None)


def test_what_is_missing_has_a_name(exchange):
    assert exchange.missing() == ["SafeAction"]
    exchange.safe_action(7, True, (0.5,))
    assert exchange.missing() == ["twist", "gripper effort"]
    exchange.twist(700, TWIST)
    assert exchange.missing() == ["gripper effort"]


def test_answers_to_other_ticks_are_ignored_and_counted(exchange):
    exchange.safe_action(6, True, (0.5,))
    exchange.safe_action(8, True, (0.5,))
    exchange.twist(600, TWIST)
    assert exchange.pop_answer() is None
    assert exchange.ignored == 3


def test_the_first_of_two_answers_counts(exchange):
    exchange.safe_action(7, False, (0.0,))
    exchange.safe_action(7, True, (0.5,))
    assert exchange.pop_answer() == Answer(7, False, None, None)
    assert exchange.ignored == 1


def test_an_effort_left_over_from_a_tick_that_was_cut_short_is_dropped(exchange):
    exchange.twist(700, TWIST)
    exchange.cancel()
    exchange.unstamped(effort(-1.0))  # arrives after the new episode began
    exchange.ask(8, 800)
    exchange.safe_action(8, True, (0.25,))
    exchange.twist(800, TWIST)
    assert exchange.missing() == ["gripper effort"]
    exchange.unstamped(effort(0.25))
    assert exchange.pop_answer() == Answer(8, True, TWIST, effort(0.25))


def test_an_effort_of_nan_is_found_too(exchange):
    exchange.safe_action(7, True, (math.nan,))
    exchange.twist(700, TWIST)
    exchange.unstamped(effort(math.nan))
    answer = exchange.pop_answer()
    assert answer is not None and answer.unstamped is not None
    assert math.isnan(answer.unstamped.values[0])


def test_a_robot_without_twists_is_answered_by_its_joints_alone():
    exchange = Exchange(takes_twists=False, unstamped="joint positions")
    exchange.ask(7, 700)
    exchange.unstamped(Unstamped((9.0, 9.0), ("a", "b")))  # left over
    exchange.safe_action(7, True, (1.0, 2.0))
    assert exchange.missing() == ["joint positions"]
    wanted = Unstamped((1.0, 2.0), ("a", "b"))
    exchange.unstamped(wanted)
    assert exchange.pop_answer() == Answer(7, True, None, wanted)
    assert exchange.ignored == 1


def test_nothing_is_missing_while_nothing_is_asked():
    assert Exchange().missing() == []
    assert Exchange().pop_answer() is None
