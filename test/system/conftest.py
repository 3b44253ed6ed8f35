"""Fixtures of the system tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from system_graph import Graph
from vla_interfaces.msg import SafetyStatus


@pytest.fixture(scope="module")
def graph() -> Iterator[Graph]:
    """The simulated robot in real time, up and holding."""
    running = Graph("sim.launch.xml", task="drawer-open", seed=1, respawn="true")
    try:
        running.wait(lambda: running.state() == SafetyStatus.STATE_HOLD, 60.0)
        yield running
    finally:
        running.close()


@pytest.fixture
def launch() -> Iterator[Callable[..., Graph]]:
    """Start launch files that end with the test."""
    running: list[Graph] = []

    def start(file: str, **arguments: Any) -> Graph:
        running.append(Graph(file, **arguments))
        return running[-1]

    yield start
    for each in running:
        each.close()
