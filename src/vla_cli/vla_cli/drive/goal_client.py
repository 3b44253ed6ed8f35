"""A command as a goal of the action `execute_command`, until it has ended."""

from __future__ import annotations

from typing import Any

from action_msgs.msg import GoalStatus

from vla_cli.client.command_errors import CommandError, Interrupted
from vla_cli.client.graph_client import CALL_TIMEOUT, Graph
from vla_cli.drive.told_once import without_numbers
from vla_contract import topics
from vla_contract.message_enums import Outcome, State
from vla_interfaces.action import ExecuteCommand

PROGRESS_PERIOD = 1.0  # s between two lines that differ in progress alone


def execute(graph: Graph, text: str, time_limit: float) -> int:
    """Send it as a goal, print the feedback where it changes, and the outcome."""
    client = graph.action(ExecuteCommand, topics.EXECUTE_COMMAND_ACTION)
    lines = FeedbackLines()

    def show(message: Any) -> None:
        if line := lines.next_line(message.feedback):
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
    took = f"{response.result.duration:.1f} s of the graph's clock"
    print(f"{outcome} after {took}: {response.result.reason}")
    return 0 if response.status == GoalStatus.STATUS_SUCCEEDED and outcome == "succeeded" else 1


class FeedbackLines:
    """Feedback as lines, of which each tells something that the one before did not."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._due = 0.0  # s of the command's time, of the next line that has but new progress

    def next_line(self, feedback: Any) -> str:
        """Time, state, progress, cause, limits; empty where but times and numbers are new."""
        state = State.words_of(feedback.state)
        cause = feedback.cause if state not in ("nominal", "inactive") else ""
        known = feedback.progress == feedback.progress  # not NaN
        progress = f"{feedback.progress:4.0%}" if known else ""
        limits = "limited by " + ", ".join(feedback.limited_by) if feedback.limited_by else ""
        before, self._told = self._told, [without_numbers(cause), state, progress, limits]
        same = [a == b for a, b in zip(self._told, before, strict=False)]
        only_progress = same == [True, True, False, True] and feedback.elapsed < self._due
        if self._told == before or only_progress:
            self._told = before
            return ""
        self._due = feedback.elapsed + PROGRESS_PERIOD
        if before and before[0] == self._told[0]:
            cause = ""  # it is a line above
        parts = (f"{feedback.elapsed:6.1f} s", state, progress, cause, limits)
        return "  ".join(part for part in parts if part)
