"""When an episode of the SO-101 is won or lost."""

import numpy as np
import pytest

from vla_sim.so101.so101_tasks import HALF_SIZE, PAN_AXIS, TASKS, TRAY
from vla_sim.so101.so101_verdict import HOLD_STEPS, LIFT, Moment, Verdict

START = {
    "red": np.array([PAN_AXIS[0] + 0.2, 0.0, 0.0125]),
    "green": np.array([0.2, 0.1, 0.0125]),
    "blue": np.array([0.2, -0.1, 0.0125]),
}


@pytest.fixture
def play():
    def judge(task, *moments):
        verdict = Verdict(TASKS[task], START)
        for places, touched, speed in moments:
            speeds = dict.fromkeys(START, speed)
            verdict.judge(Moment({**START, **places}, speeds, frozenset(touched)))
        return verdict

    return judge


def moved(colour, *by):
    return {colour: START[colour] + np.array(by)}


def test_doing_nothing_wins_and_loses_nothing(play):
    for task in TASKS:
        verdict = play(task, *[({}, (), 0.0)] * 20)
        assert not verdict.success and not verdict.failure, task


def test_a_touch_is_of_the_named_cube(play):
    assert play("touch-red", ({}, {"red"}, 0.0)).success
    wrong = play("touch-red", ({}, {"blue"}, 0.0), ({}, {"red"}, 0.0))
    assert not wrong.success and wrong.failure == "touched the blue cube"


def test_a_cube_is_picked_up_when_it_is_held_up_for_a_while(play):
    up = (moved("red", 0, 0, LIFT + 1e-6), {"red"}, 0.0)
    assert play("pick-red", *[up] * HOLD_STEPS).success
    assert not play("pick-red", *[up] * (HOLD_STEPS - 1)).success
    thrown = (up[0], (), 0.0)
    assert not play("pick-red", *[up] * 5, thrown, *[up] * 5).success


def test_a_push_goes_away_from_the_arm(play):
    assert play("push-red", (moved("red", 0.041, 0, 0), {"red"}, 0.1)).success
    assert not play("push-red", (moved("red", 0.03, 0, 0), {"red"}, 0.1)).success
    aside = play("push-red", (moved("red", 0.0, 0.021, 0), {"red"}, 0.1))
    assert aside.failure == "pushed the red cube aside"


def test_in_the_tray_the_cube_lies_still_and_is_let_go(play):
    inside = {"red": np.array([*TRAY, 0.0145])}
    assert play("put-red-in-tray", (inside, (), 0.0)).success
    assert not play("put-red-in-tray", (inside, {"red"}, 0.0)).success
    assert not play("put-red-in-tray", (inside, (), 0.1)).success
    above = {"red": np.array([*TRAY, 0.06])}
    assert not play("put-red-in-tray", (above, (), 0.0)).success


def test_a_stack_stands_alone(play):
    on_top = {"red": START["green"] + np.array([0.004, 0.0, 2 * HALF_SIZE])}
    assert play("stack-red-on-green", (on_top, (), 0.0)).success
    assert not play("stack-red-on-green", (on_top, {"red"}, 0.0)).success
    off = {"red": START["green"] + np.array([0.014, 0.0, 2 * HALF_SIZE])}
    assert not play("stack-red-on-green", (off, (), 0.0)).success


def test_moving_another_cube_loses_for_good(play):
    lost = play(
        "pick-red",
        (moved("blue", 0.016, 0, 0), {"blue"}, 0.0),
        *[(moved("red", 0, 0, 0.06), {"red"}, 0.0)] * HOLD_STEPS,
    )
    assert not lost.success and lost.failure == "moved the blue cube"
