"""The safety node launched with a robot's files: it configures, and says what it waits for."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from launched import ROOT, interpreter, told_arguments

from vla_contract import topics
from vla_contract.node_testing import Client, isolated_environment
from vla_interfaces.msg import SafetyStatus

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "48"))


@pytest.mark.system
@pytest.mark.parametrize(
    ("robot", "missing"), [("turtlebot", "odom"), ("so101", "joint_states")], ids=str
)
def test_safety_runs_with_the_files_of_a_robot(robot, missing, tmp_path):
    values = told_arguments(ROOT / "config" / "robots" / f"{robot}.yaml")
    base = isolated_environment(DOMAIN) | {"ROS_HOME": str(tmp_path)}
    file = ROOT / "launch" / "vla.launch.xml"
    (spec,) = [s for s in interpreter.interpret(file, values, base) if s.node == "/vla/safety"]
    client = Client(DOMAIN, "/vla")
    status = client.collect(
        SafetyStatus, topics.SAFETY_STATUS, topics.qos_profile(topics.SAFETY_STATUS)
    )
    process = subprocess.Popen(spec.command, env=dict(spec.environment))
    try:
        client.wait(lambda: any(missing in " ".join(s.causes) for s in status), 40.0)
        assert status[-1].state == SafetyStatus.STATE_HOLD and not status[-1].armed
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(20.0) == 0
        client.close()
