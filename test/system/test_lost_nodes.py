"""A node that dies: braking begins in time and ends in time, and nothing moves by itself after."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise

import pytest
from geometry_msgs.msg import PoseStamped

from system_graph import ACTION_SPACE, Graph, command_until_moving, move, speed
from vla_contract import topics
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_interfaces.msg import ActionChunk, Fault, Observation, SafeAction, SafetyStatus
from vla_safety.config.safety_config import SafetyConfig

pytestmark = pytest.mark.system
HELD = (SafeAction.VERDICT_HELD, SafeAction.VERDICT_STOPPED)
# Seconds that a message takes from publisher to recorder.
TRANSPORT = 0.05


def lateness(graph: Graph, since: float) -> float:
    """How long safety, or this recorder, had to wait for its turn on the machine, s.

    The bound of a reaction is one of the node's; what a busy machine adds is seen in the longest
    pause between two commands. `./vla prove faults` measures without it.
    """
    times = [t for t, _ in graph.record.actions if t >= since]
    pauses = [after - before for before, after in pairwise(times)]
    return max(pauses, default=0.0)


def arrivals(graph: Graph, message_type, topic: str, keep=lambda message: True) -> list[float]:
    times: list[float] = []
    graph.client.node.create_subscription(
        message_type,
        f"/vla/{topic}",
        lambda message: times.append(time.monotonic()) if keep(message) else None,
        topics.qos_profile(topic),
    )
    return times


@pytest.mark.parametrize("node", ["perception", "policy"])
def test_a_dead_node_brakes_the_robot_in_time(graph, node):
    beats = arrivals(graph, Fault, topics.FAULT, lambda fault: fault.source == node)
    results = (
        arrivals(graph, Observation, topics.OBSERVATION)
        if node == "perception"
        else arrivals(graph, ActionChunk, topics.ACTION_CHUNK)
    )
    move(graph)
    # These two readers are new: the graph may know of them later than the arm begins to move.
    graph.wait(lambda: beats and results)
    (pid,) = graph.launch.pids(node)
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    graph.wait(lambda: graph.record.actions[-1][1].verdict in HELD)
    held = next(t for t, a in graph.record.actions if t >= killed and a.verdict in HELD)
    last_valid = max(beats[-1] if beats[-1] < held else killed, results[-1])
    period = ACTION_SPACE.period
    allowed = SafetyConfig().heartbeat_timeout + 2 * period + TRANSPORT
    assert held - last_valid <= allowed + lateness(graph, last_valid)
    graph.wait(lambda: graph.record.speed() == 0.0)
    stretch = [(t, a) for t, a in graph.record.actions if t >= held]
    rest = next(a for _, a in stretch if speed(a) == 0.0)
    assert (rest.tick - stretch[0][1].tick) * period <= ACTION_SPACE.braking_time + period
    graph.wait(lambda: graph.state() == SafetyStatus.STATE_HOLD)
    # It comes back by itself, and the graph is of use again.
    graph.wait(lambda: graph.launch.pids(node) not in ([], [pid]))
    back = time.monotonic()
    graph.wait(lambda: beats[-1] > back and results[-1] > back, 60.0)
    command_until_moving(graph)


def test_without_safety_the_driver_stops_and_the_new_node_holds(graph):
    move(graph)
    poses: list[PoseStamped] = []
    graph.client.node.create_subscription(
        PoseStamped,
        "/vla/end_effector_pose",
        poses.append,
        topics.qos_profile(topics.END_EFFECTOR_POSE),
    )
    graph.wait(lambda: len(poses) > 10)
    (pid,) = graph.launch.pids("safety")
    os.kill(pid, signal.SIGKILL)
    # The robot's own time: on a busy machine poses come late, and the simulation lags behind.
    stopped = to_nanoseconds(poses[-1].header.stamp) + NANOSECONDS
    graph.wait(lambda: graph.launch.pids("safety") not in ([], [pid]))
    since = time.monotonic()
    graph.wait(lambda: any(t > since and a.tick for t, a in graph.record.actions), 60.0)
    graph.wait(lambda: to_nanoseconds(poses[-1].header.stamp) > stopped + NANOSECONDS)
    # The arm's own lag behind its command is what is left after the driver's brake.
    still = [p.pose.position for p in poses if to_nanoseconds(p.header.stamp) > stopped]
    assert len(still) > 10
    for axis in "xyz":
        places = [getattr(place, axis) for place in still]
        assert max(places) - min(places) < 0.005, f"still moving in {axis}"
    # The status of the node before is the last one known until the new one's was received.
    graph.wait(lambda: graph.state() == SafetyStatus.STATE_HOLD)
    # The last ones of the node before may be here late.
    actions = [action for _, action in graph.record.actions]
    begin = max(i for i in range(1, len(actions)) if actions[i].tick < actions[i - 1].tick)
    new = actions[begin:]
    assert all(speed(action) == 0.0 for action in new)
    assert {action.state for action in new} == {SafetyStatus.STATE_HOLD}
    move(graph)
