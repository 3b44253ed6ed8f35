"""The action server `execute_command`: goals of the desk as ROS goals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.node import Node
from rclpy.task import Future

from vla_contract import topics
from vla_contract.message_enums import Limit
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import SafetyStatus, Violation
from vla_perception.command.active_command import shown
from vla_perception.command.command_desk import CommandDesk, Moment
from vla_perception.command.goal_execution import Execution, ExecutionResult, Outcome, Phase


@dataclass
class _Goal:
    handle: ServerGoalHandle
    execution: Execution
    future: Future


class ExecuteCommandServer:
    """Serves goals on a SingleThreadedExecutor.

    The execute callback is a coroutine that waits for a future which `update` completes; it
    blocks nothing. A goal's command is in force when its acceptance callback returns, before any
    other message is looked at.
    """

    def __init__(
        self,
        node: Node,
        desk: CommandDesk,
        moment: Callable[[], Moment],
        is_active: Callable[[], bool],
    ) -> None:
        self._desk = desk
        self._moment = moment
        self._is_active = is_active
        self._goals: dict[bytes, _Goal] = {}
        self._status = SafetyStatus()
        self._logger = node.get_logger()
        self._server = ActionServer(
            node,
            ExecuteCommand,
            topics.EXECUTE_COMMAND_ACTION,
            self._run,
            goal_callback=self._on_goal,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=self._on_cancel,
        )

    def destroy(self) -> None:
        """End the server."""
        self._server.destroy()

    def safety_status(self, status: SafetyStatus) -> None:
        """What feedback tells of the robot."""
        self._status = status

    def update(self) -> None:
        """Complete the goals that have ended; after everything that may end one."""
        for goal in self._goals.values():
            result = goal.execution.result
            if goal.execution.phase == Phase.ENDED and result and not goal.future.done():
                goal.future.set_result(result)

    def publish_feedback(self) -> None:
        """Tell the clients of the goals that are not over how it goes."""
        now = self._moment().steady
        for goal in self._goals.values():
            if goal.execution.phase != Phase.ENDED and goal.handle.is_active:
                goal.handle.publish_feedback(self._feedback(goal.execution, now))

    def _feedback(self, execution: Execution, now: float) -> Any:
        feedback = ExecuteCommand.Feedback(
            state=self._status.state,
            cause=self._status.cause,
            progress=execution.progress if math.isfinite(execution.progress) else math.nan,
            limited_by=[limit_words(violation) for violation in self._status.violations],
        )
        feedback.elapsed = execution.elapsed(now)
        return feedback

    def _on_goal(self, request: Any) -> GoalResponse:
        # A text that is not understood is accepted and ends at once: a rejection gives no reason.
        fault = "perception is not active"
        if self._is_active():
            fault = self._desk.goal_fault(request.text, request.time_limit)
        if not fault:
            return GoalResponse.ACCEPT
        self._logger.warning(f"goal {shown(request.text)} rejected: {fault}")
        return GoalResponse.REJECT

    def _on_accepted(self, handle: ServerGoalHandle) -> None:
        request = handle.request
        execution = self._desk.execute(request.text, request.time_limit, self._moment())
        self._goals[bytes(handle.goal_id.uuid)] = _Goal(handle, execution, Future())
        handle.execute()
        self.update()

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        goal = self._goals.get(bytes(handle.goal_id.uuid))
        if goal is None or not self._desk.cancel(goal.execution, self._moment()):
            return CancelResponse.REJECT
        return CancelResponse.ACCEPT

    async def _run(self, handle: ServerGoalHandle) -> Any:
        goal = self._goals[bytes(handle.goal_id.uuid)]
        result: ExecutionResult = await goal.future
        del self._goals[bytes(handle.goal_id.uuid)]
        if result.outcome == Outcome.SUCCEEDED:
            handle.succeed()
        elif result.outcome == Outcome.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return ExecuteCommand.Result(
            outcome=int(result.outcome), reason=result.reason, duration=result.duration
        )


def limit_words(violation: Violation) -> str:
    """A violation in a few words, e.g. "linear_x: acceleration"."""
    name = Limit.words_of(violation.limit)
    return f"{violation.dimension}: {name}" if violation.dimension else name
