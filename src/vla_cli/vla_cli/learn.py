"""`vla learn`: hands over to vla_learning, which has a command line of its own."""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> int:
    """Replace this process by `python -m vla_learning`."""
    os.execv(sys.executable, [sys.executable, "-m", "vla_learning", *arguments])
