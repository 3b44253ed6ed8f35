"""A goal from acceptance to result."""

import math

import pytest

from vla_perception.command.active_command import End
from vla_perception.command.goal_execution import (
    SETTLE_TIME,
    Execution,
    Outcome,
    Phase,
)


def running(**kwargs) -> Execution:
    return Execution(1, 10.0, execution_timeout=3.0, standstill_timeout=2.0, **kwargs)


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (End.DONE, Outcome.SUCCEEDED),
        (End.CANCELED, Outcome.CANCELED),
        (End.TIMEOUT, Outcome.TIMED_OUT),
        (End.STOP, Outcome.STOPPED),
        (End.FAILED, Outcome.FAILED),
        (End.CLOCK, Outcome.FAILED),
    ],
)
def test_the_result_comes_when_the_robot_stands_still(end, outcome):
    goal = running()
    goal.safety_status(10.1, True)  # it stands still before it has begun
    goal.end(11.0, end, "why")
    goal.check(11.0 + SETTLE_TIME)
    assert goal.phase == Phase.COMING_TO_REST, "a standstill from before does not count"
    goal.safety_status(11.5, False)
    assert goal.phase == Phase.COMING_TO_REST
    goal.safety_status(11.9, True)
    assert goal.phase == Phase.ENDED
    assert goal.result is not None
    assert (goal.result.outcome, goal.result.reason) == (outcome, "why")
    assert goal.result.duration == pytest.approx(1.9)


def test_a_standstill_right_after_the_end_must_last():
    goal = running()
    goal.end(11.0, End.DONE, "done")
    goal.safety_status(11.01, True)
    assert goal.phase == Phase.COMING_TO_REST
    goal.check(11.0 + SETTLE_TIME + 0.001)
    assert goal.phase == Phase.ENDED


def test_a_newer_command_ends_it_at_once():
    goal = running()
    goal.end(11.0, End.NEWER, "a newer command came")
    assert goal.result is not None and goal.result.outcome == Outcome.PREEMPTED


def test_a_newer_command_while_coming_to_rest_keeps_the_first_cause():
    goal = running()
    goal.end(11.0, End.DONE, "done")
    goal.end(11.1, End.CANCELED, "canceled")
    assert goal.phase == Phase.COMING_TO_REST
    goal.end(11.2, End.NEWER, "a newer command came")
    assert goal.result is not None and goal.result.outcome == Outcome.SUCCEEDED
    assert goal.result.reason == "done; a newer command came before the robot stood still"


def test_without_a_standstill_it_fails_in_time():
    goal = running()
    goal.end(11.0, End.CANCELED, "canceled")
    goal.check(13.5)
    assert goal.result is not None and goal.result.outcome == Outcome.FAILED
    assert "no standstill was reported" in goal.result.reason


def test_silence_of_policy_or_safety_is_found():
    goal = running()
    assert goal.check(12.9) == ""
    goal.safety_status(12.9, True)
    assert goal.check(13.1) == "not an action_chunk for 3.1 s"
    goal.chunk(13.1, 1, 0.5)
    assert goal.check(15.8) == ""
    assert goal.progress == 0.5
    goal.chunk(15.8, 2, 0.9)  # of another command
    assert goal.progress == 0.5
    assert "safety_status" in goal.check(16.0)


def test_in_lock_step_nothing_waits_for_time():
    goal = running(lock_step=True)
    assert goal.check(1e6) == ""
    goal.end(10.0, End.DONE, "done")
    goal.check(1e9)
    assert goal.phase == Phase.COMING_TO_REST
    goal.safety_status(10.0, True)
    assert goal.phase == Phase.ENDED


def test_a_node_that_goes_abandons_its_goal():
    goal = running()
    goal.abandon(11.0, "deactivated")
    goal.abandon(12.0, "again")
    assert goal.result is not None
    assert (goal.result.outcome, goal.result.reason) == (Outcome.FAILED, "deactivated")


def test_the_time_outs_themselves_are_in_time():
    goal = running()
    assert goal.check(13.0) == "" and goal.check(13.01) != ""
    goal.end(14.0, End.STOP, "stop")
    goal.check(16.0)
    assert goal.phase == Phase.COMING_TO_REST
    goal.check(16.01)
    assert goal.result.reason == "stop; no standstill was reported within 2.0 s"


def test_a_goal_begins_without_a_result_and_without_progress():
    goal = running()
    assert goal.result is None and math.isnan(goal.progress)
    goal.end(11.0, End.NEWER, "a newer command came")
    assert goal.result.reason == "a newer command came"
