"""What the doctor finds, and how it asks the machine."""

from __future__ import annotations

import enum
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GIB = 1024**3


class Level(enum.Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and how to mend it."""

    subject: str
    level: Level
    found: str
    remedy: str = ""

    def line(self) -> str:
        """As it is printed."""
        remedy = f"\n{'':26}mend it with: {self.remedy}" if self.remedy else ""
        return f"{self.subject:<17}{self.level.value:<9}{self.found}{remedy}"


def run(*command: str, timeout: float = 2.0) -> str | None:
    """What a command prints within `timeout` s; None where there is no such command."""
    if shutil.which(command[0]) is None:
        return None
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, errors="replace", check=False
        )
    except subprocess.TimeoutExpired as error:  # tegrastats prints until it is ended
        return (error.stdout or b"").decode(errors="replace")
    except OSError:
        return None
    return result.stdout


def read(path: str) -> str | None:
    """What a file holds; None where it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").rstrip("\0\n")
    except OSError:
        return None


@dataclass(frozen=True)
class Machine:
    """How commands and files of the machine are asked; tests answer in its place."""

    run: Callable[..., str | None] = run
    read: Callable[[str], str | None] = read

    def jetson(self) -> str:
        """Name of the Jetson that this is; empty elsewhere."""
        model = self.read("/proc/device-tree/model") or ""
        if "jetson" in model.lower():
            return model
        return "Jetson" if self.read("/etc/nv_tegra_release") else ""


def graded(good: bool) -> Level:
    """OK or an error."""
    return Level.OK if good else Level.ERROR


def size(subject: str, value: int, least: int, where: str, remedy: str) -> Finding:
    """A size in bytes against the least that is needed."""
    good = value >= least
    text = f"{value / GIB:.1f} GiB {where}"
    if not good:
        text += f"; at least {least / GIB:.2g} GiB are needed"
    return Finding(subject, graded(good), text, "" if good else remedy)
