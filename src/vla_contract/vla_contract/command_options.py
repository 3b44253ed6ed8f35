"""Values of command lines, for argparse."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def at_least(least: int, what: str = "") -> Callable[[str], int]:
    """An argparse type: a whole number from `least` on; what: a name for the message."""

    def convert(text: str) -> int:
        value = int(text) if text.removeprefix("-").isdecimal() else None
        if value is None or value < least:
            words = f"{what} is {text!r}; accepted: a whole number of at least {least}"
            raise argparse.ArgumentTypeError(words.lstrip())
        return value

    return convert


def file_name(text: str) -> Path:
    """An argparse type: the path of a file to write, which names no folder."""
    path = Path(text)
    if not path.name or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder; accepted: the name of a file")
    return path
