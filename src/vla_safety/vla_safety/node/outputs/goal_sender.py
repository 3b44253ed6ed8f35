"""Commands of a gripper as goals of an action, which a driver serves one at a time.

A goal for each control period would preempt the one before fifty times a second. A goal is sent
where the command differs from the last one that was accepted: at once when the command has come to
rest, and while it moves no more often than `PERIOD`. So the gripper never runs ahead of the limits
and ends where the command ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.action import ActionClient

from vla_contract.stamps import NANOSECONDS
from vla_safety.node.outputs.robot_outputs import Output

PERIOD = NANOSECONDS // 10
LEAST = 1e-6  # of the command's unit: a difference that is none


class GoalSender:
    """Of one action. Never waits: a server that is not there is tried again a period later.

    Attributes:
        topic: full name of the action. unserved: why goals do not arrive, in words, or empty.
    """

    def __init__(self, node: Any, output: Output, steady: Callable[[], int]) -> None:
        """steady: ns of a clock that never jumps."""
        self.topic = node.resolve_topic_name(output.topic)
        self.unserved = ""
        self._output = output
        self._steady = steady
        self._client = ActionClient(node, output.message_type, output.topic)
        self._accepted: list[float] = []
        self._last: list[float] = []
        self._sent = -PERIOD
        self._waiting = False

    def send_values(self, command: Sequence[float], stamp: Any) -> None:
        """The command of a period; a goal where one is due."""
        values = [command[i] for i in self._output.indices]
        resting, self._last = values == self._last, values
        since = self._steady() - self._sent
        if self._waiting and since < NANOSECONDS:
            return
        if _near(values, self._accepted):
            return
        if since < PERIOD and (self.unserved or not resting):
            return
        if not self._client.server_is_ready():
            self.unserved = f"nobody serves the action {self.topic}"
            return
        self._sent, self._waiting = self._steady(), True
        goal = self._output.message(command, stamp)
        future = self._client.send_goal_async(goal)
        future.add_done_callback(lambda done: self._on_answer(done, values))

    def _on_answer(self, future: Any, values: list[float]) -> None:
        self._waiting = False
        handle = None if future.cancelled() or future.exception() else future.result()
        if handle is not None and handle.accepted:
            self._accepted, self.unserved = values, ""
        else:
            self.unserved = f"a goal of the action {self.topic} was refused"
            # It is tried again a period later, not in each one.
            self._sent = self._steady()

    def destroy(self) -> None:
        """Let go of the client."""
        self._client.destroy()


def _near(a: Sequence[float], b: Sequence[float]) -> bool:
    if len(a) != len(b):
        return False
    return all(math.isclose(x, y, rel_tol=0.0, abs_tol=LEAST) for x, y in zip(a, b, strict=True))
