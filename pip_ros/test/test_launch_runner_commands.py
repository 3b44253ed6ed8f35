"""The runner starts what launch itself starts: same command lines, same environments."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from launch_cases import CASES, HERE, describe, environment, expected, make_prefix

launch_runner = pytest.importorskip("launch_runner")
REAL = Path(__file__).parent / "real_launch.py"


@pytest.fixture
def prefix(tmp_path, monkeypatch):
    prefix = make_prefix(tmp_path / "prefix")
    monkeypatch.setenv("AMENT_PREFIX_PATH", environment(prefix)["AMENT_PREFIX_PATH"])
    return prefix


def ours(file, arguments, prefix):
    specs = launch_runner.interpret(file, arguments)
    return describe(((s.label, s.command, s.environment, s.cwd) for s in specs), prefix, os.environ)


@pytest.mark.parametrize("case", CASES)
def test_same_processes_as_launch_wrote_down(case, prefix):
    file, arguments = CASES[case]
    assert ours(HERE / file, arguments, prefix) == expected()[case]


def test_every_case_starts_something():
    assert set(expected()) == set(CASES)
    assert all(expected().values())


@pytest.mark.parametrize("case", CASES)
def test_same_processes_as_launch(case, prefix):
    for module in ("launch_xml", "launch_ros"):
        pytest.importorskip(module)
    file, arguments = CASES[case]
    words = [f"{name}:={value}" for name, value in arguments.items()]
    done = subprocess.run(
        [sys.executable, REAL, "--prefix", prefix, HERE / file, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    assert (
        ours(HERE / file, arguments, prefix)
        == json.loads(line.removeprefix("RESULT "))["processes"]
    )
