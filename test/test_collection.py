"""Every test is found, wherever pytest runs and whatever plugins a ROS 2 install brings along."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = [ROOT / "test", ROOT / "pip_ros" / "test", *sorted(ROOT.glob("src/*/test"))]
FILES = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]


def test_no_two_files_have_a_name():
    """Whoever imports a file by its bare name gets that one; conftest.py is pytest's matter."""
    names = Counter(path.name for path in FILES if path.name != "conftest.py")
    assert not [name for name, count in names.items() if count > 1]


def test_no_function_has_a_name_that_an_older_pytest_calls():
    """That of Ubuntu 22.04 calls a module's functions of these names before each test, as nose."""
    names = {"setup", "teardown", "setup_module", "teardown_module"}
    for path in FILES:
        body = ast.parse(path.read_text(encoding="utf-8")).body
        functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}
        assert not functions & names, path


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_no_folder_is_named_as_a_module(folder):
    """On the path, a folder `torch/` would be found where PyTorch is not installed."""
    imported = {name for path in ROOT.glob("src/*/**/*.py") for name in imports(path)}
    folders = {path.name for path in folder.rglob("*") if path.is_dir()} - {"__pycache__"}
    assert not folders & imported


@cache
def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_files_are_found_from_another_folder(tmp_path):
    """By the package whose tests read most of config/ when they are imported."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", str(ROOT / "src" / "vla_safety")],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_without_vla_the_tests_take_a_domain_of_their_own_on_this_machine():
    robot = {"ROS_DOMAIN_ID": "0", "ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    names = ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY")
    program = f"import conftest, os; print([os.environ.get(name) for name in {names}])"

    def seen(**environment: str) -> list[str | None]:
        ours = ("ROS_DISTRO", "VLA_ROOT", "PYTEST_XDIST_WORKER")
        inherited = {k: v for k, v in os.environ.items() if k not in ours}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT, env=inherited | robot | environment, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        return ast.literal_eval(done.stdout)

    domain, scope, _ = seen()
    assert 1 <= int(domain or 0) <= 101 and scope == "LOCALHOST"
    assert seen(ROS_DISTRO="humble")[2] == "1"
    whole = {"VLA_ROOT": str(ROOT), "ROS_DOMAIN_ID": "0"}
    assert seen(**whole)[0] == "0", "which `./vla test` has taken"
    assert seen(**whole, PYTEST_XDIST_WORKER="gw1")[0] != "0", "which its processes would share"


PLUGIN = """
import pytest

class Hooks:
    @pytest.hookspec(firstresult=True)
    def pytest_launch_collect_makemodule(path, parent, entrypoint): ...

def pytest_addhooks(pluginmanager):
    pluginmanager.add_hookspecs(Hooks)

def pytest_configure(config):
    raise pytest.UsageError("launch_testing is active")
"""
DEPENDENT = "def pytest_launch_collect_makemodule(path, parent, entrypoint): ..."


def install(folder: Path, entry: str, module: str, text: str) -> None:
    """A pytest plugin, as an installed distribution."""
    (folder / f"{module}.py").write_text(text)
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{entry} = {module}\n")


def test_the_plugins_that_import_test_files_themselves_are_off(tmp_path):
    """By the names of launch_testing's and launch_testing_ros's entry points."""
    install(tmp_path, "launch_testing", "plugin_of_launch_testing", PLUGIN)
    install(tmp_path, "launch_ros", "plugin_of_launch_testing_ros", DEPENDENT)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", str(Path(__file__))],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
