"""What every test run has in common, under `./vla test`, `colcon test` and pytest alone."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

DOMAINS = Path(__file__).parent / "src" / "vla_cli" / "vla_cli" / "client" / "domains.py"


def take_domain() -> int:
    """A ROS domain that nobody on this machine uses, this process's until its end."""
    # By its path, because what is tested first may be a package that vla_cli needs.
    spec = importlib.util.spec_from_file_location("domains_of_the_test_run", DOMAINS)
    assert spec is not None and spec.loader is not None
    domains = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(domains)
    return domains.free()


def isolate() -> None:
    """Keep the tests to this machine, and away from a robot's graph that runs on it."""
    os.environ["ROS_DOMAIN_ID"] = str(take_domain())
    os.environ["ROS_PYTHON_CHECK_FIELDS"] = "1"
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"
    else:
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"


# `./vla test` has done it for a run in one process; each process of pytest-xdist has its own.
if "VLA_ROOT" not in os.environ or "PYTEST_XDIST_WORKER" in os.environ:
    isolate()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first: at the end a process would work on it alone."""
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


# The same examples in every run: `--hypothesis-profile=random` tries others, and
# `./vla prove properties` far more. No deadline: a busy machine is no failure.
settings.register_profile("random", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
