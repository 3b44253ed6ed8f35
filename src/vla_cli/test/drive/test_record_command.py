"""`vla record` with real publishers that are gone in a moment, ended in every way."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from std_msgs.msg import Bool, String

from vla_contract import topics
from vla_contract.node_testing import Client, wait_until
from vla_replay.bags.bag_reader import open_bag

pytestmark = pytest.mark.system
DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
WORDS = ("open the drawer", "close the window", "push the button", "stop")


@contextlib.contextmanager
def recorder(bag: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A running `./vla record`; killed where the test has not ended it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vla_cli", "record", "--out", str(bag), *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ,
    )  # fmt: skip
    try:
        assert process.stdout.readline().startswith("recording into"), process.stdout.read()
        yield process
    finally:
        process.kill()
        process.communicate()


def said(bag: Path) -> list[str]:
    """What is on the topic `command` of a bag, each once and in order."""
    with open_bag(bag) as opened:
        found = [opened.read(each).data for each in opened.messages(["/vla/command"])]
    return list(dict.fromkeys(found))


def message_count(bag: Path) -> int:
    """As metadata.yaml has it; 0 while there is none."""
    try:
        content = yaml.safe_load((bag / "metadata.yaml").read_text())
    except FileNotFoundError:
        return 0
    return content["rosbag2_bagfile_information"]["message_count"]


@pytest.fixture
def perception() -> Iterator[Client]:
    """Somebody who listens to commands, as `./vla say` demands."""
    client = Client(DOMAIN, namespace="vla", name="perception")
    client.collect(String, topics.COMMAND, topics.qos_profile(topics.COMMAND))
    yield client
    client.close()


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ((), signal.SIGINT),
        (("--ring", "600"), signal.SIGTERM),
        (("--ring-bytes", "9", "/vla/command"), signal.SIGKILL),
    ],
)
def test_everything_that_is_said_is_in_the_bag(perception, tmp_path, options, end):
    bag = tmp_path / "bag"
    with recorder(bag, *options) as process:
        for words in WORDS:
            command = [sys.executable, "-m", "vla_cli", "say", *words.split()]
            saying = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL)
            perception.wait(lambda saying=saying: saying.poll() is not None)
        wait_until(lambda: message_count(bag) >= len(WORDS), 10.0)
        process.send_signal(end)
        output = process.communicate(timeout=30)[0]
    assert process.returncode == (-end if end == signal.SIGKILL else 0), output
    assert said(bag) == list(WORDS)
    assert message_count(bag) >= len(WORDS)


def test_a_latched_level_is_heard_as_its_driver_offers_it(tmp_path):
    """It was told before the recording began, once, and is kept for who comes later."""
    client = Client(DOMAIN, namespace="vla", name="driver")
    profile = topics.level_profiles(topics.EMERGENCY_STOP)[-1]
    client.node.create_publisher(Bool, topics.EMERGENCY_STOP, profile).publish(Bool(data=True))
    bag = tmp_path / "bag"
    try:
        with recorder(bag, "/vla/emergency_stop") as process:
            wait_until(lambda: message_count(bag) > 0, 20.0)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
    finally:
        client.close()
    with open_bag(bag) as opened:
        assert [opened.read(each).data for each in opened.messages()] == [True]
