"""The processes of the launch files, as the launch runner reads them: nothing is started."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

import launch_runner as interpreter

ROOT = Path(__file__).resolve().parents[3]
SHARE = "$(find-pkg-share vla_bringup)"


def processes(
    file: str, environment: dict[str, str] | None = None, **values: str
) -> dict[str, Any]:
    """Name → process, of a file in launch/ with the values of its arguments."""
    base = {k: v for k, v in os.environ.items() if not k.startswith("ROS_")}
    base |= {"ROS_DOMAIN_ID": "7"} | (environment or {})
    specs = interpreter.interpret(ROOT / "launch" / file, values, base)
    return {(spec.node or spec.label).rsplit("/", 1)[-1]: spec for spec in specs}


def parameters(spec: Any) -> dict[str, Any]:
    """What the parameter files of a process say together, later ones first."""
    found: dict[str, Any] = {}
    for before, word in zip(spec.command, spec.command[1:], strict=False):
        if before == "--params-file":
            for section in yaml.safe_load(Path(word).read_text()).values():
                found |= section["ros__parameters"]
    return found


def told_arguments(path: Path) -> dict[str, str]:
    """The launch arguments that the comment on top of a robot's or cameras' file tells to use."""
    found = re.findall(r"^#   (\w+):=(.+)$", path.read_text(), re.MULTILINE)
    return {name: value.replace(SHARE, str(ROOT)) for name, value in found}
