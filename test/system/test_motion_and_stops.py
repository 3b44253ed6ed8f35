"""A command moves the robot within its limits; every way of stopping brakes it within them."""

from __future__ import annotations

import time

import pytest
from geometry_msgs.msg import TwistStamped
from std_msgs.msg import Float64

from system_graph import (
    ACTION_SPACE,
    Graph,
    assert_within_limits,
    command_until_moving,
    move,
    speed,
)
from vla_contract import topics
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import SafeAction, SafetyStatus

pytestmark = pytest.mark.system
STOPPED, HOLD = SafetyStatus.STATE_STOPPED, SafetyStatus.STATE_HOLD
COMMAND = "open the drawer"


def braking(graph: Graph, since: float) -> list[SafeAction]:
    """Actions from the first held one after `since` to the one that is at rest."""
    held = (SafeAction.VERDICT_HELD, SafeAction.VERDICT_STOPPED)

    def found() -> list[SafeAction]:
        later = [a for t, a in graph.record.actions if t >= since]
        first = next((i for i, a in enumerate(later) if a.verdict in held), len(later))
        return later[first:]

    graph.wait(lambda: any(speed(action) == 0.0 for action in found()))
    actions = found()
    rest = next(i for i, action in enumerate(actions) if speed(action) == 0.0)
    return actions[: rest + 1]


def assert_brakes_in_time(actions: list[SafeAction]) -> None:
    duration = (actions[-1].tick - actions[0].tick) * actions[0].period
    assert duration <= ACTION_SPACE.braking_time + actions[0].period


def fresh_and_unchanged(action: SafeAction) -> bool:
    return action.verdict == SafeAction.VERDICT_PASS and action.observation_age < 0.5


def test_a_command_leads_to_motion_within_the_limits(graph):
    twists = graph.client.collect(TwistStamped, "/vla/end_effector_twist", 10)
    grips = graph.client.collect(Float64, "/vla/gripper_effort", 10)
    graph.wait(lambda: twists and grips)  # both are published every period
    graph.record.actions.clear()
    move(graph)
    graph.wait(lambda: any(fresh_and_unchanged(action) for _, action in graph.record.actions))
    actions = [action for _, action in graph.record.actions]
    assert any(t.twist.linear.x or t.twist.linear.y or t.twist.linear.z for t in twists)
    assert grips
    assert_within_limits(actions)
    sent = {tuple(a.safe[:3]) for a in actions}
    received = [(t.twist.linear.x, t.twist.linear.y, t.twist.linear.z) for t in twists]
    assert sum(r in sent for r in received) >= 0.95 * len(received)


def test_a_stop_word_brakes_and_the_next_command_moves(graph):
    move(graph)
    since = graph.say("stop!")
    assert_brakes_in_time(braking(graph, since))
    graph.wait(lambda: graph.state() == HOLD)
    graph.client.spin(0.5)
    assert graph.record.speed() == 0.0
    command_until_moving(graph)


def test_a_command_that_holds_a_stop_word_is_no_stop(graph):
    move(graph)
    graph.say("push the stop button")
    graph.client.spin(0.5)
    assert graph.state() != STOPPED
    assert "was said" not in graph.record.statuses[-1][1].cause


def test_the_stop_service_brakes_and_latches(graph):
    move(graph)
    since = time.monotonic()
    assert graph.trigger(topics.STOP_SERVICE).success
    assert_brakes_in_time(braking(graph, since))
    graph.wait(lambda: graph.state() == STOPPED)
    graph.say(COMMAND)
    graph.client.spin(1.0)
    assert graph.record.speed() == 0.0 and graph.state() == STOPPED
    assert graph.trigger(topics.RESET_SERVICE).success
    graph.wait(lambda: graph.state() == HOLD)
    graph.client.spin(0.5)
    assert graph.record.speed() == 0.0, "moved after a reset without a new command"
    command_until_moving(graph)


def test_disarming_brakes_before_it_disconnects(graph):
    move(graph)
    since = time.monotonic()
    assert graph.arm(False).success
    graph.wait(lambda: graph.record.actions and not graph.record.actions[-1][1].outputs_connected)
    sent = [a for t, a in graph.record.actions if t >= since and a.outputs_connected]
    assert speed(sent[-1]) == 0.0
    assert graph.arm(True).success


def send_goal(graph: Graph, text: str, time_limit: float = 30.0):
    from rclpy.action import ActionClient

    client = ActionClient(graph.client.node, ExecuteCommand, "/vla/execute_command")
    graph.wait(client.server_is_ready)
    feedback: list = []
    goal = ExecuteCommand.Goal(text=text, time_limit=time_limit)
    future = client.send_goal_async(goal, feedback_callback=feedback.append)
    graph.wait(future.done)
    return future.result(), feedback


def test_a_goal_gives_feedback_and_cancel_brakes_within_the_limits(graph):
    graph.new_episode()
    goal, feedback = send_goal(graph, COMMAND)
    assert goal.accepted
    graph.wait(lambda: graph.record.speed() > 0.05 and feedback, 60.0)
    graph.record.actions.clear()
    canceled = goal.cancel_goal_async()
    result = goal.get_result_async()
    graph.wait(lambda: canceled.done() and result.done())
    assert result.result().result.outcome == ExecuteCommand.Result.OUTCOME_CANCELED
    assert result.result().result.reason
    graph.wait(lambda: graph.record.speed() == 0.0)
    assert_within_limits([action for _, action in graph.record.actions])


def test_a_newer_goal_preempts(graph):
    graph.new_episode()
    first, _ = send_goal(graph, COMMAND)
    result = first.get_result_async()
    second, _ = send_goal(graph, COMMAND)
    graph.wait(result.done)
    assert result.result().result.outcome == ExecuteCommand.Result.OUTCOME_PREEMPTED
    ended = second.get_result_async()
    graph.say("halt")
    graph.wait(ended.done)
    assert ended.result().result.outcome == ExecuteCommand.Result.OUTCOME_STOPPED
