"""What every test run has in common."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

TORCH = importlib.util.find_spec("torch") is not None


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out; `./vla test` installs PyTorch, a ROS 2 install may lack it."""
    return [] if TORCH else ["PyTorch is not installed: folders test/torch are left out"]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what cannot be imported without PyTorch."""
    return True if not TORCH and "torch" in collection_path.parts else None
