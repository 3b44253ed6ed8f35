"""The one error that a user of a launch file sees."""

from __future__ import annotations

from pathlib import Path


class LaunchError(Exception):
    """Something about a launch file or its arguments is wrong; the text says where."""

    def __init__(self, message: str, file: Path | None = None, line: int | None = None) -> None:
        where = "" if file is None else f"{file}:{line}: " if line is not None else f"{file}: "
        super().__init__(where + message)
