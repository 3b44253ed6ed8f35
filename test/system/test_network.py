"""Who sees the graph: nobody beyond this machine, unless network:=true."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from network_listener import CONTROL
from second_host import HOST, NoSecondHost, SecondHost, second_host
from system_graph import DOMAIN, ROOT, Launch
from vla_contract.node.network_sockets import bound_beyond_loopback
from vla_contract.node_testing import isolated_environment, wait_until

pytestmark = pytest.mark.system
LISTENER = Path(__file__).with_name("network_listener.py")
WARNING = "open to the network"
PATIENCE = 60.0  # s
SILENCE = 5.0  # s that nothing comes while the control does


@pytest.fixture(scope="module")
def other_host() -> Iterator[SecondHost]:
    try:
        with second_host() as host:
            yield host
    except NoSecondHost as reason:
        pytest.skip(f"NOT RUN, no second host: {reason}")


class Listener:
    """What the other host sees, or without one an open process of this machine."""

    def __init__(self, host: SecondHost | None = None, **environment: str) -> None:
        self._output = tempfile.NamedTemporaryFile(suffix=".json", delete=False)
        command = [sys.executable, str(LISTENER), str(DOMAIN)]
        self.process = subprocess.Popen(
            host.command(command) if host is not None else command,
            env={**open_environment(), **environment},
            stdout=self._output,
            start_new_session=True,
        )

    def lines(self) -> list[dict]:
        text = Path(self._output.name).read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def last(self) -> dict:
        lines = self.lines()
        return lines[-1] if lines else {"nodes": [], "topics": [], "status": 0, "control": 0}

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


def open_environment() -> dict[str, str]:
    closed = isolated_environment(DOMAIN)
    for name in ("ROS_LOCALHOST_ONLY", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        closed.pop(name, None)
    return {**closed, "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}


class Control:
    """A node on this machine that is open to the network: shows that the cable works."""

    PROGRAM = f"""
import rclpy, time
from std_msgs.msg import String
rclpy.init(domain_id={DOMAIN})
node = rclpy.create_node("network_control")
publisher = node.create_publisher(String, {CONTROL!r}, 10)
while True:
    publisher.publish(String(data="here"))
    time.sleep(0.1)
"""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.PROGRAM], env=open_environment(), start_new_session=True
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def run():
    """Start things that end with the test."""
    running = []

    def start(thing):
        running.append(thing)
        return thing

    yield start
    for thing in reversed(running):
        thing.stop() if isinstance(thing, Launch) else thing.close()


def launch(**arguments) -> Launch:
    """The robot's graph; without a robot it holds."""
    space = ROOT / "config" / "action_spaces" / "mobile_base.yaml"
    return Launch(
        "vla.launch.xml", backend="constant", checkpoint="none", action_space=space, **arguments
    )


# The second names this machine as its peer, so that it need not be found by multicast.
@pytest.mark.parametrize("environment", [{}, {"ROS_STATIC_PEERS": HOST.split("/")[0]}])
def test_by_default_another_host_sees_nothing_of_the_graph(other_host, run, environment):
    graph = run(launch())
    graph.wait_for_output("vla.safety]: HOLD", PATIENCE)
    run(Control())
    listener = run(Listener(other_host, **environment))
    wait_until(lambda: listener.last()["control"] > 0, PATIENCE)
    heard = listener.last()["control"]
    time.sleep(SILENCE)
    wait_until(lambda: listener.last()["control"] > heard, PATIENCE)
    last = listener.last()
    assert last["nodes"] == ["network_control"] and last["topics"] == [CONTROL], last
    assert last["status"] == 0
    assert WARNING not in graph.output


def test_by_default_every_socket_of_the_graph_is_bound_to_this_machine(run):
    graph = run(Launch("sim.launch.xml"))
    graph.wait_for_output("vla.safety]: HOLD", PATIENCE)
    wait_until(lambda: len(graph.pids()) == 4, PATIENCE)
    assert {pid: bound_beyond_loopback(pid) for pid in graph.pids()} == dict.fromkeys(
        graph.pids(), []
    )
    # A process of this machine hears it, whatever its own environment says of the network.
    listener = run(Listener())
    wait_until(lambda: listener.last()["status"] > 0, PATIENCE)


def test_network_true_opens_the_graph_and_says_so(other_host, run):
    graph = run(launch(network="true"))
    for node in ("perception", "policy", "safety"):
        graph.wait_for_output(f"[vla.{node}]: {WARNING}", PATIENCE)
    assert all(bound_beyond_loopback(pid) for pid in graph.pids())
    listener = run(Listener(other_host))
    wait_until(lambda: listener.last()["status"] > 0, PATIENCE)
    wait_until(
        lambda: {"perception", "policy", "safety"} <= set(listener.last()["nodes"]), PATIENCE
    )
    assert "/vla/observation" in listener.last()["topics"]
