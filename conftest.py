"""What every test run has in common."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import settings

TORCH = importlib.util.find_spec("torch") is not None

# The same examples in every run: `--hypothesis-profile=random` tries others, and
# `./vla prove properties` far more. No deadline: a busy machine is no failure.
settings.register_profile("random", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

# What cannot be imported without PyTorch is left out. A list, because the hook's arguments are
# others in the pytest of Ubuntu 22.04.
collect_ignore_glob = [] if TORCH else ["*/torch/*"]


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out; `./vla test` installs PyTorch, a ROS 2 install may lack it."""
    return [] if TORCH else ["PyTorch is not installed: folders test/torch are left out"]
