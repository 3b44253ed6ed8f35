"""A command as a goal of the action `execute_command`, until it has ended."""

from __future__ import annotations

from typing import Any

from action_msgs.msg import GoalStatus

from vla_cli.client.command_errors import CommandError, Interrupted
from vla_cli.client.graph_client import CALL_TIMEOUT, Graph
from vla_contract import topics
from vla_contract.message_enums import Outcome, State
from vla_interfaces.action import ExecuteCommand


def execute(graph: Graph, text: str, time_limit: float) -> int:
    """Send it as a goal, print the feedback where it changes, and the outcome."""
    client = graph.action(ExecuteCommand, topics.EXECUTE_COMMAND_ACTION)
    shown = [""]

    def show(message: Any) -> None:
        line = feedback_line(message.feedback)
        if line.split("  ", 1)[-1] != shown[0]:  # the time alone is no news
            shown[0] = line.split("  ", 1)[-1]
            print(line, flush=True)

    goal = ExecuteCommand.Goal(text=text, time_limit=time_limit)
    future = client.send_goal_async(goal, feedback_callback=show)
    graph.require(future.done, CALL_TIMEOUT, "perception does not answer the goal")
    handle = future.result()
    if not handle.accepted:
        raise CommandError(f"perception rejected the goal {text!r}; its log says why")
    result = handle.get_result_async()
    try:
        while not result.done():
            graph.spin()
    except Interrupted:
        print("canceling", flush=True)
        cancel = handle.cancel_goal_async()
        graph.wait(lambda: cancel.done() and result.done(), CALL_TIMEOUT)
        if not result.done():
            raise
    return report(result.result())


def report(response: Any) -> int:
    """Print the outcome; 0 where it is success."""
    outcome = Outcome.words_of(response.result.outcome)
    print(f"{outcome} after {response.result.duration:.1f} s: {response.result.reason}")
    return 0 if response.status == GoalStatus.STATUS_SUCCEEDED and outcome == "succeeded" else 1


def feedback_line(feedback: Any) -> str:
    """One line of feedback: time, state, progress, limits."""
    state = State.words_of(feedback.state)
    parts = [f"{feedback.elapsed:6.1f} s", state]
    if feedback.progress == feedback.progress:  # not NaN
        parts.append(f"{feedback.progress:4.0%}")
    if state not in ("nominal", "inactive") and feedback.cause:
        parts.append(feedback.cause)
    if feedback.limited_by:
        parts.append("limited by " + ", ".join(feedback.limited_by))
    return "  ".join(parts)
