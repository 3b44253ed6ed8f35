"""A stop tells the truth: each side a process of its own, over DDS."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vla_contract.node_testing import isolated_environment

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
SAFETY = Path(__file__).with_name("pretended_safety.py")
NAMESPACE = "test_stop_command"


@contextlib.contextmanager
def pretended(lost: int, *, latches: bool):
    """A safety node; gives a function that tells what it has heard."""
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(
            [sys.executable, str(SAFETY), f"/{NAMESPACE}", str(lost), str(int(latches))],
            env=isolated_environment(DOMAIN),
            stdout=told,
        )

        def heard() -> list[str]:
            told.seek(0)
            return told.read().split()

        try:
            yield heard
        finally:
            process.kill()
            process.wait()


def stop() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vla_cli", "stop", "--namespace", NAMESPACE],
        env=isolated_environment(DOMAIN),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_lost_answer_is_asked_for_again():
    with pretended(1, latches=False) as heard:
        done = stop()
        assert (done.returncode, heard().count("service")) == (0, 2), done.stderr
        assert done.stdout.startswith("stopped: safety has latched it")


def test_a_status_that_says_stopped_is_as_good_as_an_answer():
    with pretended(1000, latches=True):
        done = stop()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("stopped: safety's status says that it is latched")


@pytest.mark.parametrize(
    ("lost", "asked"), [(-1, "stop was not found"), (1000, "times and gave no answer")]
)
def test_what_is_not_latched_is_said_in_capitals_with_what_is_known(lost, asked):
    with pretended(lost, latches=False) as heard:
        done = stop()
        assert done.returncode == 1
        assert "stop" in heard(), "the word was not said"
    assert done.stdout.startswith("NOT LATCHED within 10 s: ")
    for piece in ('the word "stop" reached 1 readers', "safety is there and says hold", asked):
        assert piece in done.stdout
    assert "nobody serves" not in done.stdout + done.stderr


def test_where_nobody_is_that_is_said():
    done = stop()
    assert done.returncode == 2 and not done.stdout
    assert "vla: NOT LATCHED: no VLA graph found" in done.stderr
