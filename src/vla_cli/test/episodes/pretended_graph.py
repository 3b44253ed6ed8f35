"""A lock-step simulator and a perception node that only pretend; stdin is not read."""

from __future__ import annotations

import rclpy
from rclpy.action import ActionServer, CancelResponse
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import String

from vla_cli.episodes.graph_episodes import READERS
from vla_contract import topics
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import TaskState
from vla_interfaces.srv import ResetEpisode, RunEpisode

STEP_LIMIT = 500


def listen(node: Node, topic: str) -> None:
    qos = topics.qos_profile(topic, lock_step=True)
    node.create_subscription(String, topic, lambda message: None, qos)


class Simulator(Node):
    """Succeeds after 100 steps and the seed."""

    def __init__(self) -> None:
        super().__init__("simulator", namespace="vla")
        self._left, self._state = 0, TaskState()
        self._lost = False
        qos = topics.qos_profile(topics.TASK_STATE, lock_step=True)
        listen(self, topics.SAFE_ACTION)
        self._publisher = self.create_publisher(TaskState, topics.TASK_STATE, qos)
        self.create_service(ResetEpisode, topics.RESET_EPISODE_SERVICE, self._on_reset)
        self.create_service(RunEpisode, topics.RUN_EPISODE_SERVICE, self._on_run)
        self.create_timer(0.001, self._step)

    def _on_reset(self, request, response):
        if request.task == "nonsense":
            response.success, response.message = False, "no such task"
            return response
        self._left = 0
        self._state = TaskState(
            task=request.task, seed=request.seed, episode=self._state.episode + 1
        )
        self._publisher.publish(self._state)
        response.success, response.episode = True, self._state.episode
        response.seed, response.instruction = request.seed, f"do {request.task}"
        return response

    def _on_run(self, request, response):
        if self._state.task == "door-close" and not self._lost:
            self._lost = True  # as when a message was lost: waits at the first tick for ever
            return response
        self._left = request.steps
        response.success = True
        return response

    def _step(self) -> None:
        state = self._state
        if not self._left or state.truncated:
            return
        self._left -= 1
        state.step += 1
        state.success = state.step >= 100 + state.seed
        state.truncated = state.step >= STEP_LIMIT
        if state.success:
            self._left = 0
        self._publisher.publish(state)


class Perception(Node):
    """Takes any goal; "gibberish" ends as rejected after a while."""

    def __init__(self) -> None:
        super().__init__("perception", namespace="vla")
        qos = topics.qos_profile(topics.COMMAND)
        self.create_subscription(String, topics.COMMAND, lambda message: None, qos)
        for topic in (topics.TICK, topics.JOINT_STATES, topics.ACTION_CHUNK):
            listen(self, topic)
        self._server = ActionServer(
            self,
            ExecuteCommand,
            topics.EXECUTE_COMMAND_ACTION,
            self._execute,
            cancel_callback=lambda handle: CancelResponse.ACCEPT,
        )

    def _execute(self, handle):
        result = ExecuteCommand.Result()
        if handle.request.text == "gibberish":
            result.outcome, result.reason = ExecuteCommand.Result.OUTCOME_REJECTED, "unknown words"
            handle.abort()
            return result
        rate = self.create_rate(50.0)
        while not handle.is_cancel_requested:
            rate.sleep()
        result.outcome = ExecuteCommand.Result.OUTCOME_CANCELED
        handle.canceled()
        return result


def readers() -> list[Node]:
    """Nodes that subscribe to what an episode waits for."""
    nodes = {name: Node(name, namespace="vla") for name in ("policy", "safety")}
    for topic, names in READERS.items():
        for name in names:
            if name in nodes:
                listen(nodes[name], topic)
    return list(nodes.values())


def main() -> None:
    rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    executor = MultiThreadedExecutor(4)
    for node in (Simulator(), Perception(), *readers()):
        executor.add_node(node)
    executor.spin()


if __name__ == "__main__":
    main()
