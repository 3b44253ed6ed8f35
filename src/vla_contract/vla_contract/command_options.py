"""Values of command lines, for argparse."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def at_least(least: int, what: str = "") -> Callable[[str], int]:
    """An argparse type: a whole number from `least` on; what: a name for the message."""

    def convert(text: str) -> int:
        value = int(text) if text.removeprefix("-").isdecimal() else None
        if value is None or value < least:
            words = f"{what} is {text!r}; accepted: a whole number of at least {least}"
            raise argparse.ArgumentTypeError(words.lstrip())
        return value

    return convert


class _Renamed(argparse.Action):
    """An option's name of before, which answers for one release and tells the new one."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        """Set the value of the new name."""
        print(f"{parser.prog}: {option_string} is now called --out", file=sys.stderr)
        setattr(namespace, self.dest, values)


def add_out(
    parser: argparse.ArgumentParser,
    *before: str,
    kind: Callable[[str], Path] = Path,
    **options: Any,
) -> None:
    """Add --out, where the results go.

    before: its former names. kind: its argparse type. options: as argparse has them.
    """
    parser.add_argument("--out", type=kind, **options)
    for name in before:
        parser.add_argument(
            name,
            dest="out",
            type=kind,
            action=_Renamed,
            default=argparse.SUPPRESS,
            help=argparse.SUPPRESS,
        )


def file_name(text: str) -> Path:
    """An argparse type: the path of a file to write, which names no folder."""
    path = Path(text)
    if not path.name or path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder; accepted: the name of a file")
    return path
