"""Every test is found, wherever pytest runs and whatever plugins a ROS 2 install brings along."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = [ROOT / "test", ROOT / "pip_ros" / "test", *sorted(ROOT.glob("src/*/test"))]
FILES = [path for folder in FOLDERS for path in sorted(folder.rglob("*.py"))]


def test_no_two_files_have_a_name():
    """Whoever imports a file by its bare name gets that one; conftest.py is pytest's matter."""
    names = Counter(path.name for path in FILES if path.name != "conftest.py")
    assert not [name for name, count in names.items() if count > 1]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_no_folder_is_named_as_a_module(folder):
    """On the path, a folder `torch/` would be found where PyTorch is not installed."""
    imported = {name for path in ROOT.glob("src/*/**/*.py") for name in imports(path)}
    folders = {path.name for path in folder.rglob("*") if path.is_dir()} - {"__pycache__"}
    assert not folders & imported


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


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
