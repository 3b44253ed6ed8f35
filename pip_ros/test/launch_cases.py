"""The launch files on which runner and launch are compared, and how processes are written down."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent / "launch"
EXPECTED = HERE / "expected.json"

# case -> file, arguments
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "nodes": ("nodes.launch.xml", {}),
    "nodes, an argument": ("nodes.launch.xml", {"who": "alice"}),
    "parameters": ("parameters.launch.xml", {}),
    "parameters, others": (
        "parameters.launch.xml",
        {"number": "6.5", "text": "'7'", "truth": "false", "list": "[3, 4, 5]"},
    ),
    "scopes": ("scopes.launch.xml", {}),
    "scopes, absolute": ("scopes.launch.xml", {"ns": "/other/robot"}),
    "conditions": ("conditions.launch.xml", {}),
    "conditions, others": ("conditions.launch.xml", {"on": "false", "mode": "slow", "rate": "3"}),
    "quoting": ("quoting.launch.xml", {}),
    "quoting, others": ("quoting.launch.xml", {"one": "a 'b", "two": ""}),
}


def make_prefix(root: Path) -> Path:
    """Make an install space with a package `demo` of two executables that end at once."""
    (root / "share/ament_index/resource_index/packages").mkdir(parents=True)
    (root / "share/ament_index/resource_index/packages/demo").touch()
    (root / "share/demo").mkdir()
    (root / "lib/demo").mkdir(parents=True)
    for name in ("talker", "listener"):
        executable = root / "lib/demo" / name
        executable.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
        executable.chmod(0o755)
    (root / "included.launch.xml").write_text(
        (HERE / "included.launch.xml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    return root


def make_shadow(root: Path, packages: Mapping[str, Path]) -> Path:
    """Make an install space with these packages' files, but with executables that end at once."""
    index = root / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    for name, prefix in packages.items():
        (index / name).touch()
        (root / "share" / name).symlink_to(prefix / "share" / name)
        (root / "lib" / name).mkdir(parents=True)
        for executable in (prefix / "lib" / name).glob("*"):
            (root / "lib" / name / executable.name).symlink_to("/bin/true")
    return root


def environment(prefix: Path) -> dict[str, str]:
    """Return the environment that the cases run in."""
    paths = [str(prefix), *filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep))]
    return {**os.environ, "AMENT_PREFIX_PATH": os.pathsep.join(paths)}


def describe(
    processes: Iterable[tuple[str, Iterable[str], Mapping[str, str], str | None]],
    prefix: Path,
    base: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Write processes down without what differs between runs: prefix, names of temporary files."""
    described = []
    for label, command, env, cwd in processes:
        changed = {
            key: env.get(key) for key in sorted({*env, *base}) if env.get(key) != base.get(key)
        }
        described.append(
            {
                "label": label,
                "command": [_word(word, prefix) for word in command],
                "environment": changed,
                "cwd": cwd,
            }
        )
    return described


def _word(word: str, prefix: Path) -> Any:
    is_file = Path(word).name.startswith("launch_params_")
    text = Path(word).read_text(encoding="utf-8") if is_file else word
    text = text.replace(str(prefix), "PREFIX").replace(str(HERE), "HERE")
    return yaml.safe_load(text) if is_file else text


def expected() -> dict[str, list[dict[str, Any]]]:
    """Return what launch itself started in each case, as real_launch.py wrote it down."""
    return json.loads(EXPECTED.read_text(encoding="utf-8"))
