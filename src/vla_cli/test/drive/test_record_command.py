"""`vla record` of commands whose publishers are gone in a moment, ended in every way."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from std_msgs.msg import Bool

from vla_contract import topics
from vla_contract.node_testing import Client, NodeProcess, node_process, wait_until
from vla_replay.bags.bag_reader import open_bag
from vla_replay.play.period_timeline import Layout, Timeline
from vla_replay.play.topic_selection import Selection, _find_commands

pytestmark = pytest.mark.system
DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
SAID = (
    ("open the drawer",),
    ("--wait", "--time-limit", "0.2", "close the window"),  # as a goal of the action
    ("push the button",),
)


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


def replayed(bag: Path) -> list[str]:
    """The commands that a replay of a bag gives."""
    found = Selection()
    with open_bag(bag) as opened:
        _find_commands(found, dict(opened.topics), None)
        roles = found.roles()
        periods = Timeline(Layout(10**8, 0, (), roles)).periods(opened.messages(roles))
        return [text for period in periods for text in period.commands]


def message_count(bag: Path) -> int:
    """As metadata.yaml has it; 0 while there is none."""
    try:
        content = yaml.safe_load((bag / "metadata.yaml").read_text())
    except FileNotFoundError:
        return 0
    return content["rosbag2_bagfile_information"]["message_count"]


@pytest.fixture(scope="module")
def perception() -> Iterator[NodeProcess]:
    parameters = {"cameras": ["front"]}
    with node_process("vla_perception.node", DOMAIN, parameters, ["-r", "__ns:=/vla"]) as process:
        yield process


@pytest.mark.parametrize(
    ("options", "end"),
    [
        ((), signal.SIGINT),
        (("--ring", "600"), signal.SIGTERM),
        (("--ring-bytes", "9"), signal.SIGKILL),
    ],
)
def test_everything_that_is_said_is_in_the_bag(perception, tmp_path, options, end):
    bag = tmp_path / "bag"
    with recorder(bag, *options) as process:
        for words in SAID:
            command = [sys.executable, "-m", "vla_cli", "say", *words]
            subprocess.run(command, env=os.environ, timeout=60, check=False)
        before = message_count(bag)
        # By its heartbeats: what came before is on the disk.
        wait_until(lambda: message_count(bag) > before, 10.0)
        process.send_signal(end)
        output = process.communicate(timeout=30)[0]
    assert process.returncode == (-end if end == signal.SIGKILL else 0), output
    assert replayed(bag) == [words[-1] for words in SAID], perception.output
    assert message_count(bag) >= before


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
