"""A stop word stops the robot, whichever node of the graph hears it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rclpy.action import ActionClient
from std_msgs.msg import String

from system_graph import Graph, command_until_moving
from vla_contract import topics
from vla_contract.node_testing import wait_until
from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import Fault, SafetyStatus

pytestmark = pytest.mark.system
HOLD = SafetyStatus.STATE_HOLD
DEAF = "/nobody/speaks/here"


def deafen(graph: Graph) -> subprocess.Popen[bytes]:
    """Start the safety node anew as it was, but with the topics of commands elsewhere."""
    (pid,) = graph.launch.pids("safety")
    words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    environment = Path(f"/proc/{pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    remapped = [
        word
        for topic in (topics.COMMAND, topics.COMMAND_STAMPED)
        for word in ("-r", f"{topic}:={DEAF}/{topic}")
    ]
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not graph.launch.pids("safety"), 30.0)
    return subprocess.Popen(
        [*(word.decode() for word in words), "--ros-args", *remapped],
        env=dict(entry.decode().split("=", 1) for entry in environment),
    )


@pytest.fixture
def deaf() -> Iterator[Graph]:
    """The graph in motion, with a safety node that hears no command."""
    graph = Graph("sim.launch.xml", task="drawer-open", seed=1)
    safety = None
    try:
        graph.wait(lambda: graph.state() == HOLD)
        safety = deafen(graph)
        graph.record.statuses.clear()
        graph.wait(lambda: graph.state() == HOLD)
        say_to_perception(graph, "open the drawer")
        graph.wait(lambda: graph.record.speed() > 0.05)
        yield graph
    finally:
        if safety is not None:
            safety.send_signal(signal.SIGINT)
            safety.wait(30)
        graph.close()


def say_to_perception(graph: Graph, text: str) -> None:
    """Publish once, as `ros2 topic pub --once` does: when one subscriber is matched."""
    publisher = graph.client.publisher(String, topics.COMMAND, topics.qos_profile(topics.COMMAND))
    graph.wait(lambda: publisher.get_subscription_count() == 1)
    publisher.publish(String(data=text))


def was_said(graph: Graph, word: str) -> bool:
    """The safety node holds because of a stop word."""
    return any(f'"{word}" was said' in text for text in graph.record.statuses[-1][1].causes)


def test_a_stop_word_published_once_that_perception_alone_hears(deaf):
    faults = deaf.client.collect(Fault, topics.FAULT, topics.qos_profile(topics.FAULT))

    def levels() -> list[int]:
        return [f.level for f in faults if f.kind == Fault.KIND_STOP_WORD]

    deaf.wait(lambda: Fault.LEVEL_OK in levels())
    say_to_perception(deaf, "stop")
    # On a busy machine it may hold for a late chunk already.
    deaf.wait(lambda: was_said(deaf, "stop") and deaf.record.speed() == 0.0)
    assert deaf.state() == HOLD and deaf.record.statuses[-1][1].stop_word_stamp.sec > 0
    # It is told until it is obeyed, and no longer; the robot stays where it is.
    deaf.wait(lambda: Fault.LEVEL_ERROR in levels() and levels()[-1] == Fault.LEVEL_OK)
    deaf.client.spin(1.0)
    assert deaf.state() == HOLD and deaf.record.speed() == 0.0
    say_to_perception(deaf, "open the drawer")
    deaf.wait(lambda: deaf.record.speed() > 0.05)


def test_a_goal_that_is_a_stop_word(graph):
    command_until_moving(graph)
    client = ActionClient(graph.client.node, ExecuteCommand, topics.EXECUTE_COMMAND_ACTION)
    graph.wait(client.server_is_ready)
    goal = client.send_goal_async(ExecuteCommand.Goal(text="halt"))
    graph.wait(lambda: goal.done() and graph.record.speed() == 0.0)
    graph.wait(lambda: was_said(graph, "halt"))
