"""`vla build-engine`: TensorRT engines of a checkpoint, by vla_policy's own command."""

from __future__ import annotations

import importlib


def main(arguments: list[str]) -> int:
    """Build them; 1 where they cannot be, with one line that says why."""
    command = importlib.import_module("vla_policy.engines.engine_command")
    return int(command.main(arguments))
