"""What a person says to the running graph is answered: `vla say`, `status`, `stop` and `reset`."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from system_graph import DOMAIN, Graph
from vla_cli.client.graph_client import Graph as Client
from vla_cli.drive import say_command
from vla_contract.node_testing import isolated_environment
from vla_interfaces.msg import SafetyStatus

pytestmark = pytest.mark.system


def vla(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vla_cli", *words],
        env=isolated_environment(DOMAIN),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answered(*words: str) -> tuple[int, str]:
    done = vla("say", *words)
    return done.returncode, done.stdout


def test_a_command_is_understood_as_a_task(graph):
    assert answered("Open", "the  drawer") == (0, "understood as: open the drawer (drawer-open)\n")
    assert answered("OPEN the drawer!") == (0, "understood as: open the drawer! (drawer-open)\n")
    assert answered("the drawer open") == (
        0, "understood as: the drawer open (no wording of a task: ./vla say --list)\n",
    )  # fmt: skip


def test_a_word_that_is_in_no_wording_is_named(graph):
    status, said = answered("opne the drawer")
    assert status == 0 and said == (
        "understood as: opne the drawer (no wording of a task has 'opne'; did you mean 'open'? "
        "./vla say --list has them all)\n"
    )


def test_a_command_is_refused_as_often_as_it_is_given(graph):
    for _ in range(2):
        status, said = answered("make", "me", "a", "coffee")
        assert status == 1
        assert said.startswith("refused: I do not know 'make', 'me', 'coffee'; I know: ")
        assert "and 14 more: ./vla say --list" in said


def test_every_known_command_is_listed(graph):
    status, said = answered("--list")
    assert status == 0 and len(said.splitlines()) == 19
    assert "drawer-open: open the drawer | pull the drawer open | " in said
    assert vla("say").returncode == vla("say", "open", "--list").returncode == 2
    assert "--time-limit goes with --wait" in vla("say", "--time-limit", "2", "open").stderr
    for limit in ("-1", "nan", "0"):
        done = vla("say", "--wait", "--time-limit", limit, "open")
        assert done.returncode == 2 and "accepted: seconds above 0" in done.stderr


def test_a_stop_word_is_said_to_be_one(graph):
    status, said = answered("stop!")
    assert status == 0 and said.startswith("understood as: stop!, a stop word: safety brakes")


def test_a_stop_is_latched_shown_and_left(graph: Graph):
    done = vla("stop", "now!")
    assert (done.returncode, done.stdout.partition(":")[0]) == (0, "stopped"), done.stderr
    graph.wait(lambda: graph.state() == SafetyStatus.STATE_STOPPED)
    status, said = answered("open", "the", "drawer")
    assert status == 1 and said.startswith("refused: I am stopped (the stop service was called)")
    assert said.endswith("leave the stop with: ./vla reset\n")
    shown = vla("status")
    assert shown.returncode == 1 and "STOPPED" in shown.stdout
    assert [line.split()[:2] for line in shown.stdout.splitlines()[2:6]] == [
        [node, "active"] for node in ("perception", "policy", "safety", "simulator")
    ]
    assert "task         drawer-open, seed 1" in shown.stdout
    assert vla("reset").returncode == 0
    graph.wait(lambda: graph.state() != SafetyStatus.STATE_STOPPED)


# Reads commands in a process of its own.
READER = """
import rclpy
from std_msgs.msg import String
rclpy.init()
node = rclpy.create_node("reader", namespace="/vla")
node.create_subscription(String, "command", lambda message: None, 10)
rclpy.spin(node)
"""


def test_every_reader_that_is_there_is_waited_for(graph, capsys):
    """One that stands still, as a recorder may, is told of; the command is answered."""
    with subprocess.Popen(
        [sys.executable, "-c", READER], env=isolated_environment(DOMAIN)
    ) as reader, Client(domain=DOMAIN) as client:  # fmt: skip
        try:
            client.require(lambda: "reader" in client.readers("command"), 60.0, "no reader")
            assert say_command.publish(client, "open the drawer") == 0
            assert "not every reader" not in capsys.readouterr().out
            reader.send_signal(signal.SIGSTOP)
            assert say_command.publish(client, "close the drawer") == 0
            said = capsys.readouterr().out
            assert "not every reader acknowledged it" in said
            assert "understood as: close the drawer (drawer-close)" in said
        finally:
            reader.kill()


def test_another_episode_begins_by_command(graph):
    done = vla("reset", "--episode", "--task", "window-open", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("window-open, seed 3, episode ")
    assert "it waits for a command: ./vla say" in done.stdout
    wrong = vla("reset", "--episode", "--task", "windw-open")
    assert wrong.returncode == 1 and "did you mean window-open" in wrong.stdout
    assert vla("reset", "--seed", "3").returncode == 2
    assert vla("reset", "--episode", "--task", "drawer-open", "--seed", "1").returncode == 0


@pytest.mark.parametrize("delay", [0.0, 0.1, 0.3, 0.6, 1.0])
def test_ctrl_c_ends_a_command_at_any_moment_without_a_traceback(delay):
    """As ./vla starts it: with SIGINT ignored until the command can answer."""
    with subprocess.Popen(
        [sys.executable, "-m", "vla_cli", "say", "--list"],
        env={**isolated_environment(DOMAIN), "VLA_SIGINT": "default"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    ) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60.0)[0]
    assert "Traceback" not in said
    assert process.returncode in (0, 2, 130, -signal.SIGINT)
