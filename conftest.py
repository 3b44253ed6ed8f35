"""What every test run has in common."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import settings

TORCH = importlib.util.find_spec("torch") is not None

# The same examples in every run: `--hypothesis-profile=random` tries others, and
# `./vla prove properties` far more. No deadline: a busy machine is no failure.
settings.register_profile("random", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out; `./vla test` installs PyTorch, a ROS 2 install may lack it."""
    return [] if TORCH else ["PyTorch is not installed: folders test/torch are left out"]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what cannot be imported without PyTorch."""
    return True if not TORCH and "torch" in collection_path.parts else None
