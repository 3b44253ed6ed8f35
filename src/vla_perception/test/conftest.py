"""Cameras, a robot and the rest of the graph as the perception node sees them."""

from __future__ import annotations

import array
import os
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from hypothesis import settings
from rclpy.action import ActionClient
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String

from vla_contract import topics
from vla_contract.node_testing import Client, NodeProcess, node_process
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import ActionChunk, Command, Fault, Observation, SafetyStatus

# A busy machine must not fail a property test for being slow.
settings.register_profile("vla_perception", deadline=None, derandomize=True)
settings.load_profile("vla_perception")

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "62"))
PIXELS = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)


class Goal:
    """An ExecuteCommand goal that was sent."""

    def __init__(self, graph: Graph, text: str, time_limit: float) -> None:
        self._graph = graph
        self.feedback: list[Any] = []
        goal = ExecuteCommand.Goal(text=text)
        goal.time_limit = time_limit
        sent = graph.actions.send_goal_async(
            goal, lambda message: self.feedback.append(message.feedback)
        )
        graph.client.wait(sent.done)
        self.handle = sent.result()
        assert self.handle.accepted
        self._result = self.handle.get_result_async()

    def cancel(self) -> None:
        future = self.handle.cancel_goal_async()
        self._graph.client.wait(future.done)
        assert len(future.result().goals_canceling) == 1

    @property
    def ended(self) -> bool:
        return self._result.done()

    def result(self) -> tuple[int, int, str]:
        """Status, outcome and reason, once they are there."""
        self._graph.client.wait(self._result.done, 60.0)
        response = self._result.result()
        assert response.result.duration >= 0.0
        return response.status, response.result.outcome, response.result.reason


class Graph:
    """The perception process, with everything around it played by the test."""

    ABORTED, CANCELED = GoalStatus.STATUS_ABORTED, GoalStatus.STATUS_CANCELED
    SUCCEEDED = GoalStatus.STATUS_SUCCEEDED
    pixels = PIXELS

    def __init__(self, client: Client, process: NodeProcess, lock_step: bool = False) -> None:
        self.client = client
        self.process = process
        self._lock_step = lock_step
        self.observations = self.collect(Observation, topics.OBSERVATION)
        self.faults = self.collect(Fault, topics.FAULT)
        self.prompts = self.collect(String, topics.PROMPT)
        self.diagnostics = client.collect(DiagnosticArray, "/diagnostics", 10)
        self._publishers: dict[str, Any] = {}
        self._timers: list[Any] = []
        self._actions: ActionClient | None = None

    def collect(self, message_type: Any, topic: str) -> list[Any]:
        qos = topics.qos_profile(topic, lock_step=self._lock_step)
        return self.client.collect(message_type, topic, qos)

    def publish(self, topic: str, message: Any, row: str = topics.CAMERA, **qos: Any) -> None:
        """Publish on a topic that perception subscribes to, with the QoS of `row`."""
        if topic not in self._publishers:
            profile = topics.qos_profile(row, lock_step=self._lock_step)
            self._publishers[topic] = self.client.publisher(type(message), topic, profile)
        self._publishers[topic].publish(message)

    def publisher(self, topic: str) -> Any:
        return self._publishers[topic]

    def now(self) -> Any:
        return self.client.node.get_clock().now().to_msg()

    def later(self, seconds: float) -> Any:
        from rclpy.duration import Duration

        return (self.client.node.get_clock().now() + Duration(seconds=seconds)).to_msg()

    def every(self, seconds: float, callback: Callable[[], None]) -> Any:
        timer = self.client.node.create_timer(seconds, callback)
        self._timers.append(timer)
        return timer

    def end(self, timer: Any) -> None:
        self._timers.remove(timer)
        self.client.node.destroy_timer(timer)

    def end_timers(self) -> None:
        for timer in list(self._timers):
            self.end(timer)

    # Cameras and robot.

    def image(self, stamp: Any = None, **fields: Any) -> Image:
        height, width = PIXELS.shape[:2]
        message = Image(height=height, width=width, encoding="rgb8", step=width * 3)
        message.header.stamp = self.now() if stamp is None else stamp
        message.data = array.array("B", PIXELS.tobytes())
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    def compressed(self, data: bytes | None = None) -> CompressedImage:
        message = CompressedImage(format="png")
        message.header.stamp = self.now()
        encoded = cv2.imencode(".png", PIXELS[:, :, ::-1])[1].tobytes()
        message.data = array.array("B", encoded if data is None else data)
        return message

    def joints(self, **fields: Any) -> JointState:
        message = JointState(name=["a", "b"], position=[0.5, 1.5], velocity=[0.0, 0.0])
        message.header.stamp = self.now()
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    def front(self, seconds: float = 0.03) -> Any:
        """The raw camera runs."""
        return self.every(seconds, lambda: self.publish("camera/front/image_raw", self.image()))

    def side(self, seconds: float = 0.03) -> Any:
        """The compressed camera runs."""
        topic = "camera/side/compressed"
        return self.every(seconds, lambda: self.publish(topic, self.compressed()))

    def robot(self, seconds: float = 0.01) -> Any:
        """Joint states run."""
        return self.every(
            seconds, lambda: self.publish("joint_states", self.joints(), topics.JOINT_STATES)
        )

    # Policy and safety.

    def chunk(
        self, command_id: int, *, done: bool = False, sequence: int = 0, chunks_before_done: int = 0
    ) -> None:
        message = ActionChunk(command_id=command_id, done=done, observation_sequence=sequence)
        message.chunks_before_done = chunks_before_done
        message.progress = 1.0 if done else 0.5
        self.publish("action_chunk", message, topics.ACTION_CHUNK)

    def status(self, state: int = SafetyStatus.STATE_NOMINAL, *, standstill: bool = False) -> None:
        message = SafetyStatus(state=state, standstill=standstill, cause="because")
        self.publish("safety_status", message, topics.SAFETY_STATUS)

    def standing(self) -> Any:
        """Safety reports a standstill again and again."""
        return self.every(0.1, lambda: self.status(standstill=True))

    # Commands.

    def say(self, text: str) -> None:
        self.publish("command", String(data=text), topics.COMMAND)

    def say_stamped(self, **fields: Any) -> None:
        self.publish("command_stamped", Command(**fields), topics.COMMAND_STAMPED)

    @property
    def actions(self) -> ActionClient:
        if self._actions is None:
            self._actions = ActionClient(self.client.node, ExecuteCommand, "execute_command")
            self.client.wait(self._actions.server_is_ready)
        return self._actions

    def goal(self, text: str, time_limit: float = 0.0) -> Goal:
        return Goal(self, text, time_limit)

    # What comes out.

    def next_observation(self, condition: Callable[[Observation], bool] = lambda _: True) -> Any:
        """Wait for an observation from now on for which `condition` holds."""
        self.observations.clear()
        self.client.wait(lambda: any(condition(each) for each in self.observations))
        return next(each for each in self.observations if condition(each))

    def wait_for_command(self, text: str) -> Any:
        """Wait for an observation with this command; "": with none."""
        return self.next_observation(
            lambda each: each.command_valid == bool(text) and each.command.text == text
        )

    def wait_for_fault(self, kind: int, level: int, words: str = "") -> Fault:
        """Wait for a level of a kind from now on."""
        self.faults.clear()

        def found() -> list[Fault]:
            return [
                fault
                for fault in self.faults
                if (fault.kind, fault.level) == (kind, level) and words in fault.message
            ]

        self.client.wait(found, 60.0)
        return found()[0]

    def counts(self) -> dict[str, str]:
        """The values of the next diagnostics."""
        self.diagnostics.clear()
        self.client.wait(lambda: self.diagnostics, 60.0)
        return {value.key: value.value for value in self.diagnostics[-1].status[0].values}

    def wait_for_count(self, name: str, number: int = 1) -> None:
        """Wait until diagnostics count so many drops."""

        def counted() -> bool:
            return any(
                value.key == f"dropped.{name}" and int(value.value) >= number
                for message in self.diagnostics
                for value in message.status[0].values
            )

        self.client.wait(counted, 60.0)


def _starter():
    running = []

    def run(lock_step: bool = False, **parameters: Any) -> Graph:
        process = node_process(
            "vla_perception.node", DOMAIN, {"lock_step": lock_step, **parameters}
        )
        client = Client(DOMAIN)
        running.append((client, process))
        return Graph(client, process.__enter__(), lock_step)

    yield run
    for client, process in running:
        client.close()
        process.__exit__(None, None, None)


@pytest.fixture(scope="module")
def start():
    """Start perception with parameters; it runs until the module's last test."""
    yield from _starter()


@pytest.fixture
def start_one():
    """The same until the test's end."""
    yield from _starter()


@pytest.fixture(scope="module")
def shared(request, start):
    """One perception for the module, with its PARAMETERS."""
    return start(**request.module.PARAMETERS)


@pytest.fixture
def graph(shared):
    """The shared one, which no test may break."""
    yield shared
    shared.end_timers()
    assert shared.process.process.poll() is None, shared.process.output
    assert "Traceback" not in shared.process.output
