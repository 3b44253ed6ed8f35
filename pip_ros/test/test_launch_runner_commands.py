"""The runner starts what launch itself starts: same command lines, same environments."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ament_index_python.packages import get_packages_with_prefixes
from launch_cases import (
    CASES,
    HERE,
    describe,
    environment,
    expected,
    make_prefix,
    make_shadow,
)

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


def theirs(file, arguments, prefix):
    for module in ("launch_xml", "launch_ros"):
        pytest.importorskip(module)
    words = [f"{name}:={value}" for name, value in arguments.items()]
    done = subprocess.run(
        [sys.executable, REAL, "--prefix", prefix, file, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    return json.loads(line.removeprefix("RESULT "))["processes"]


@pytest.mark.parametrize("case", CASES)
def test_same_processes_as_launch(case, prefix):
    file, arguments = CASES[case]
    assert theirs(HERE / file, arguments, prefix) == ours(HERE / file, arguments, prefix)


@pytest.mark.parametrize(
    "file, arguments",
    [
        ("sim.launch.xml", {}),
        ("sim.launch.xml", {"lock_step": "true", "network": "true", "namespace": "one/vla"}),
        ("replay.launch.xml", {"bag": "/data/a bag"}),
        ("vla.launch.xml", {}),
        ("vla.launch.xml", {"backend": "torch", "model": "/a/model", "shadow": "true"}),
    ],
)
def test_same_processes_for_this_projects_files(file, arguments, tmp_path, monkeypatch):
    packages = get_packages_with_prefixes()
    own = {name: Path(path) for name, path in packages.items() if name.startswith("vla_")}
    if "vla_bringup" not in own:
        pytest.skip("the packages are not built")
    shadow = make_shadow(tmp_path / "shadow", own)
    monkeypatch.setenv("AMENT_PREFIX_PATH", environment(shadow)["AMENT_PREFIX_PATH"])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ros2").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "ros2").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    if file != "replay.launch.xml":  # which respawns nothing
        arguments = {"respawn": "false", **arguments}  # or what ends at once starts for ever
    path = own["vla_bringup"] / "share/vla_bringup/launch" / file
    started = ours(path, arguments, shadow)
    assert len(started) >= 3
    assert theirs(path, arguments, shadow) == started
