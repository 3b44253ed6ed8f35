"""Lint and type checks are tests."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.minutes  # mypy
@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=lambda command: " ".join(command),
)
def test_clean(command):
    tool, wanted = command[0], pinned(command[0])
    if installed(tool) != wanted:  # another release has other rules
        pytest.skip(f"{tool} {wanted} is not installed (it is: {installed(tool) or 'none'})")
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, (result.stdout + result.stderr)[-4000:]


def installed(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError:
        return ""


def pinned(tool: str) -> str:
    """The version in the requirements."""
    files = (ROOT / "requirements" / f"{group}.txt" for group in ("build", "test"))
    match = re.search(rf"^{tool}==(\S+)", "".join(map(Path.read_text, files)), re.MULTILINE)
    assert match, f"{tool} is in no requirements"
    return match[1]
