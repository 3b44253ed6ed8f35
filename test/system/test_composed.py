"""Perception and policy in one process: nothing else changes for the rest of the graph."""

from __future__ import annotations

import os
import signal

import pytest
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState

from system_graph import Graph, Launch, _command_line, _descendants, command_until_moving, move
from vla_cli.episodes.graph_episodes import Episode, EpisodeRunner
from vla_contract import topics
from vla_interfaces.msg import Observation, SafetyStatus

pytestmark = pytest.mark.system
EXECUTABLE = "lib/vla_bringup/perception_and_policy"


def pids(launch: Launch) -> list[int]:
    return [pid for pid in _descendants(launch.process.pid) if EXECUTABLE in _command_line(pid)]


def assert_active(graph: Graph) -> None:
    for node in ("perception", "policy"):
        answer = graph.client.call(GetState, f"/vla/{node}/get_state", GetState.Request())
        assert answer.current_state.id == State.PRIMARY_STATE_ACTIVE


def test_it_moves_the_robot_stops_and_comes_back_after_a_crash(launch):
    arguments = {"composed": "true", "task": "drawer-open", "seed": 1, "respawn": "true"}
    graph = launch("sim.launch.xml", **arguments)
    graph.wait(lambda: graph.state() == SafetyStatus.STATE_HOLD)
    (pid,) = pids(graph.launch)
    assert_active(graph)
    node = graph.client.node
    assert node.count_publishers("/vla/observation") == 1
    assert node.count_subscribers("/vla/observation") == 1, "as with two processes"
    move(graph)
    assert graph.trigger(topics.STOP_SERVICE).success
    graph.wait(lambda: graph.record.speed() == 0.0 and graph.state() == SafetyStatus.STATE_STOPPED)
    move(graph)
    observations = graph.client.collect(
        Observation, "/vla/observation", topics.qos_profile(topics.OBSERVATION)
    )
    graph.wait(lambda: len(observations) > 3)  # who subscribes gets them
    assert "no parameter of this node" not in graph.launch.output
    assert "has nothing for" not in graph.launch.output

    os.kill(pid, signal.SIGKILL)
    graph.wait(lambda: graph.record.speed() == 0.0 and graph.state() == SafetyStatus.STATE_HOLD)
    graph.wait(lambda: pids(graph.launch) not in ([], [pid]))
    command_until_moving(graph)
    assert_active(graph)


def test_in_lock_step_every_tick_is_answered():
    from system_graph import DOMAIN
    from vla_cli.client.graph_client import Graph as Client

    running = Launch("sim.launch.xml", composed="true", lock_step="true", seed=1)
    try:
        with Client(domain=DOMAIN) as graph:
            runner = EpisodeRunner(graph)
            runner.wait_until_ready()
            result = runner.run(Episode("drawer-open", 11, steps=120))
            assert result.steps == 120 or result.success
    finally:
        running.stop()
