"""What must survive the death of the node: the latched stop, and the commands seen. Free of ROS.

One small JSON file, replaced atomically. A file that cannot be read is a stop of its own: it may
have held one.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path


class StateFileError(OSError):
    """The file cannot be read, understood or written; the message says which and why."""


@dataclass(frozen=True)
class Kept:
    """Content of the file.

    stopped: text of the latched stop, empty when there is none. seen: command ids.
    running: the node was active and did not end in good order.
    """

    stopped: str = ""
    seen: tuple[int, ...] = ()
    running: bool = False


class StateFile:
    """Reads and writes `Kept`; with no path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._written: Kept | None = None

    def read(self) -> Kept:
        """Content of the file; an empty `Kept` where there is none.

        Raises:
            StateFileError: it is there and cannot be understood.
        """
        if self.path is None:
            return Kept()
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            return Kept(
                str(data["stopped"]), tuple(int(i) for i in data["seen"]), bool(data["running"])
            )
        except FileNotFoundError:
            return Kept()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateFileError(f"state file {self.path}: {error}") from error

    def write(self, kept: Kept) -> None:
        """Replace the file, unless it holds just this already. A stop is forced to the disk.

        Raises:
            StateFileError: it cannot be written.
        """
        if self.path is None or kept == self._written:
            return
        data = {"stopped": kept.stopped, "seen": list(kept.seen), "running": kept.running}
        durable = kept.stopped != (self._written or Kept()).stopped
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            scratch = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            with open(scratch, "w", encoding="utf-8") as stream:
                json.dump(data, stream)
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            os.replace(scratch, self.path)
        except OSError as error:
            raise StateFileError(f"state file {self.path}: {error.strerror}") from error
        self._written = kept


def default_path(namespace: str, domain: str) -> Path:
    """Where the state of the safety node of this namespace and DDS domain is kept."""
    home = os.environ.get("ROS_HOME") or os.path.join(os.path.expanduser("~"), ".ros")
    name = re.sub(r"[^A-Za-z0-9]+", "_", namespace).strip("_") or "root"
    return Path(home) / "vla_safety" / f"domain_{domain or '0'}_{name}.json"
