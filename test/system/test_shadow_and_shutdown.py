"""Shadow mode sends nothing; Ctrl-C brakes and leaves nothing behind."""

from __future__ import annotations

import os
import signal

import pytest
from geometry_msgs.msg import TwistStamped

from system_graph import assert_within_limits, command_until_moving, move, speed
from vla_interfaces.msg import SafetyStatus

pytestmark = pytest.mark.system
HOLD = SafetyStatus.STATE_HOLD


def test_shadow_sends_nothing(launch):
    graph = launch("sim.launch.xml", shadow="true")
    graph.wait(lambda: graph.state() == HOLD, 60.0)
    twists = graph.client.collect(TwistStamped, "/vla/end_effector_twist", 10)
    graph.wait(lambda: graph.client.node.count_publishers("/vla/end_effector_twist"))
    command_until_moving(graph)
    assert not any(action.outputs_connected for _, action in graph.record.actions)
    assert not twists


def test_ctrl_c_brakes_and_leaves_no_process(launch):
    graph = launch("sim.launch.xml")
    graph.wait(lambda: graph.state() == HOLD, 60.0)
    move(graph)
    pids = graph.launch.pids()
    assert len(pids) >= 4
    graph.record.actions.clear()
    graph.launch.process.send_signal(signal.SIGINT)
    graph.wait(lambda: graph.launch.process.poll() is not None)
    graph.client.spin(0.5)
    actions = [action for _, action in graph.record.actions]
    assert speed(actions[-1]) == 0.0, "the last command was not zero"
    assert_within_limits(actions)
    assert not any(graph.launch.pids())
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
