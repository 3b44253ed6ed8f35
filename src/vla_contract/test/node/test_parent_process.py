"""A node whose launch is killed brakes and ends; one that no launch file started goes on."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState

from vla_contract.node.graph_node import GraphNode, run
from vla_contract.node.parameters import Config, parameter
from vla_contract.node.parent_process import VARIABLE
from vla_contract.node_testing import Client, isolated_environment, wait_until

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))

# As launch starts a process: from the main thread, in its own process group, with pipes.
LAUNCH = """
import asyncio, sys

async def main():
    node = await asyncio.create_subprocess_exec(
        sys.executable, *sys.argv[1:], stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE)
    print(node.pid, flush=True)
    await node.wait()

asyncio.run(main())
"""
# One that is gone before the node has come so far as to ask for its end.
SHORT_LIVED = """
import os, subprocess, sys
print(subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL).pid, flush=True)
os._exit(0)
"""


@dataclass(frozen=True)
class ExampleConfig(Config):
    marks: str = parameter("", "File that tells what the node has done.")


class Example(GraphNode[ExampleConfig]):
    """A node that tells what it does in a file, as its output has no reader any more."""

    def __init__(self) -> None:
        super().__init__("orphan", ExampleConfig)

    def _mark(self, word: str) -> None:
        with Path(self.get_parameter("marks").value).open("a", encoding="utf-8") as file:
            file.write(f"{word}\n")

    def activate(self) -> None:
        self._mark("active")

    def brake(self) -> None:
        self._mark("braked")

    def clean_up(self) -> None:
        self._mark("ended")


class Launched:
    """The node and what has started it."""

    def __init__(self, launch: str, marks: Path, variables: dict[str, str]) -> None:
        self.marks = marks
        self.marks.touch()
        self.launch = subprocess.Popen(
            [sys.executable, "-c", launch, __file__, "--ros-args", "-p", f"marks:={marks}"],
            env={**isolated_environment(DOMAIN), **variables},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # the launch leads a process group, and the node is in it
        )
        assert self.launch.stdout is not None
        self.pid = int(self.launch.stdout.readline())

    def did(self) -> list[str]:
        return self.marks.read_text(encoding="utf-8").split()

    def runs(self) -> bool:
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return False
        return fields[0] not in ("Z", "X")

    def stop(self) -> None:
        self.launch.kill()
        self.launch.wait()
        if self.runs():
            os.kill(self.pid, signal.SIGKILL)
        assert self.launch.stdout is not None
        self.launch.stdout.close()


@pytest.fixture
def start(tmp_path):
    started = []

    def make(launch=LAUNCH, **variables):
        started.append(Launched(launch, tmp_path / "marks", variables))
        return started[-1]

    yield make
    for launched in started:
        launched.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_brakes_and_ends_when_its_launch_is_killed(start, number):
    launched = start(**{VARIABLE: "true"})
    wait_until(lambda: launched.did() == ["active"], 60.0)
    launched.launch.send_signal(number)
    launched.launch.wait()
    wait_until(lambda: not launched.runs(), 20.0)
    assert launched.did() == ["active", "braked", "ended"]


def test_it_does_not_begin_where_its_launch_is_gone_already(start):
    launched = start(SHORT_LIVED, **{VARIABLE: "true"})
    wait_until(lambda: not launched.runs(), 60.0)
    assert launched.did() == ["ended"]


@pytest.mark.parametrize("variables", [{}, {VARIABLE: "false"}])
def test_by_hand_it_outlives_what_started_it(start, variables):
    launched = start(**variables)
    wait_until(lambda: launched.did() == ["active"], 60.0)
    launched.launch.kill()
    launched.launch.wait()  # by then the kernel has told the children
    client = Client(DOMAIN)
    state = client.call(GetState, "/orphan/get_state", GetState.Request()).current_state
    client.close()
    assert state.id == State.PRIMARY_STATE_ACTIVE
    assert launched.did() == ["active"]


def test_who_leads_a_group_of_its_own_takes_its_parent_for_the_right_one():
    program = "from vla_contract.node.parent_process import parent_is_gone; print(parent_is_gone())"
    words = [sys.executable, "-c", program]
    for alone in (True, False):
        said = subprocess.run(words, stdout=subprocess.PIPE, start_new_session=alone, check=True)
        assert said.stdout.strip() == b"False"


def test_a_value_that_is_neither_is_named(start):
    launched = start(**{VARIABLE: "1"})
    wait_until(lambda: not launched.runs(), 60.0)
    assert launched.did() == []


if __name__ == "__main__":
    sys.exit(run(Example))
