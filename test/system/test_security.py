"""Policies against the running graph; and, where Fast DDS can, an intruder at a secured one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from system_graph import DOMAIN
from vla_cli import keystore, keystore_learn
from vla_contract.testing import isolated_environment

pytestmark = pytest.mark.system
POLICIES = Path(__file__).resolve().parents[2] / "config" / "security"
ON_DEMAND = {"rt/vla/attention"}  # with the parameter attention_overlay
NEWER = "get_type_description"  # a service that Humble's nodes do not have


def test_policies_allow_what_the_graph_uses_and_nothing_else(graph):
    """Least privilege both ways: nothing used is missing, nothing allowed is unused."""
    written = {policy.node: policy for policy in keystore.read_policies(POLICIES, "/vla")}
    used = {policy.node: policy for policy in keystore_learn.learn("vla", DOMAIN)}
    nodes = {"perception", "policy", "safety", "simulator"}
    assert nodes <= set(used)
    for node in nodes:
        for right in ("publish", "subscribe"):
            allowed = getattr(written[node].rights.dds_topics(), right)
            needed = getattr(used[node].rights.dds_topics(), right)
            extra = {name for name in allowed - needed if NEWER not in name} - ON_DEMAND
            assert not needed - allowed, f"{node} may not {right}; ./vla keystore --learn"
            assert not extra, f"{node} need not {right}; ./vla keystore --learn"


PROBE = "import rclpy; rclpy.init(); rclpy.create_node('probe', namespace='/vla')"


def secured(store: Path, enclave: str) -> dict[str, str]:
    return {
        **isolated_environment(DOMAIN),
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(store),
        "ROS_SECURITY_ENCLAVE_OVERRIDE": enclave,
    }


def run(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("not run: openssl is missing")
    folder = tmp_path_factory.mktemp("security") / "keystore"
    keystore.make(folder, keystore.read_policies(POLICIES, "/vla"), DOMAIN)
    return folder


@pytest.fixture(scope="module")
def dds_security(store):
    """Skips where Fast DDS was built without security, as in the wheels."""
    result = run(PROBE, secured(store, "/vla/safety"))
    if "security libraries" in result.stderr or "not supported" in result.stderr:
        pytest.skip("not run: this Fast DDS is built without DDS security")
    assert result.returncode == 0, result.stderr[-2000:]


def test_enforce_refuses_a_process_without_an_enclave(store):
    """With or without DDS security no node may come up that believes to be secured and is not."""
    result = run(PROBE, secured(store, "/vla/nobody"))
    assert result.returncode != 0
    if not os.environ.get("ROS_DISTRO"):
        assert run(PROBE, secured(store, "/vla/safety")).returncode != 0


# Argument: what is tried. Prints "matched" where the graph let it.
INTRUDER = """
import sys, time, rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from vla_interfaces.msg import ActionChunk
rclpy.init()
node = rclpy.create_node("intruder", namespace="/vla")
heard = []
publisher = node.create_publisher(ActionChunk, "action_chunk", 1)
node.create_subscription(Image, "camera/corner2/image_raw", heard.append, qos_profile_sensor_data)
end = time.monotonic() + 5.0
while time.monotonic() < end and not heard and not publisher.get_subscription_count():
    publisher.publish(ActionChunk())
    rclpy.spin_once(node, timeout_sec=0.1)
print("matched" if heard or publisher.get_subscription_count() else "alone")
"""


def test_an_intruder_neither_sends_chunks_nor_reads_images(dds_security, store, tmp_path):
    listener = (
        "import time, rclpy\nfrom sensor_msgs.msg import Image\n"
        "from vla_interfaces.msg import ActionChunk\nrclpy.init()\n"
        "node = rclpy.create_node('{node}', namespace='/vla', start_parameter_services=False)\n"
        "{what}\nprint('up', flush=True)\n"
        "end = time.monotonic() + 25\n"
        "while time.monotonic() < end:\n"
        "    {each}\n    rclpy.spin_once(node, timeout_sec=0.1)\n"
    )
    safety = listener.format(
        node="safety",
        what="node.create_subscription(ActionChunk, 'action_chunk', print, 1)",
        each="pass",
    )
    camera = listener.format(
        node="simulator",
        what="p = node.create_publisher(Image, 'camera/corner2/image_raw', 1)",
        each="p.publish(Image())",
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env=secured(store, enclave),
            stdout=subprocess.PIPE,
            text=True,
        )
        for program, enclave in ((safety, "/vla/safety"), (camera, "/vla/simulator"))
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
        unsecured = run(INTRUDER, isolated_environment(DOMAIN))
        assert "alone" in unsecured.stdout, unsecured.stderr
        # One of the graph's own keys, but not the policy's: it may not even create them.
        assert run(INTRUDER, secured(store, "/vla/operator")).returncode != 0
    finally:
        for process in running:
            process.kill()
            process.wait()
