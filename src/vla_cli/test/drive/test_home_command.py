"""`vla home` tells how the way ended: each side a process of its own, over DDS."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vla_contract.node_testing import isolated_environment

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
SAFETY = Path(__file__).with_name("pretended_home.py")
NAMESPACE = "test_home_command"


@contextlib.contextmanager
def pretended(ending: str):
    process = subprocess.Popen(
        [sys.executable, str(SAFETY), f"/{NAMESPACE}", ending], env=isolated_environment(DOMAIN)
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def home() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "vla_cli", "home", "--namespace", NAMESPACE],
        env=isolated_environment(DOMAIN),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "ending, status, words",
    [
        ("reached", 0, "at the start pose"),
        ("failed", 1, "not at the start pose: blocked by a post"),
        ("refused", 1, "refused: no start pose"),
    ],
)
def test_it_says_how_it_ended(ending, status, words):
    with pretended(ending):
        done = home()
    assert done.returncode == status, done.stderr
    assert done.stdout.strip() == words


def test_without_a_graph_it_says_so():
    done = home()
    assert done.returncode == 2 and "Traceback" not in done.stderr
