"""`vla learn`: hands over to vla_learning, which has a command line of its own."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> int:
    """Hand over, and name the new command where there is one."""
    if arguments[:1] == ["evaluate"]:  # its name of before; for one release
        new = "evaluate --in-process"
        print(
            f"vla: `learn evaluate` is now called `{new}`: ./vla {new}", file=sys.stderr, flush=True
        )
    return run(arguments)


def run(arguments: list[str]) -> int:
    """Replace this process by `python -m vla_learning`."""
    os.execv(sys.executable, [sys.executable, "-m", "vla_learning", *arguments])
