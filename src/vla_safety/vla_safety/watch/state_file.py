"""What must survive the death of the node: the latched stop, and the commands seen. Free of ROS.

One small JSON file, replaced atomically. A file that cannot be read is a stop of its own: it may
have held one.
"""

from __future__ import annotations

import json
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path

RETRY = 1.0  # s between two tries of a write that failed


class StateFileError(OSError):
    """The file cannot be read, understood or written; the message says which and why."""


@dataclass(frozen=True)
class SavedState:
    """Content of the file.

    stopped: text of the latched stop, empty when there is none. seen: command ids.
    running: the node was active and did not end in good order.
    """

    stopped: str = ""
    seen: tuple[int, ...] = ()
    running: bool = False


class StateFile:
    """Reads and writes `SavedState`; with no path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._written: SavedState | None = None

    def read(self) -> SavedState:
        """Content of the file; an empty `SavedState` where there is none.

        Raises:
            StateFileError: it is there and cannot be understood.
        """
        if self.path is None:
            return SavedState()
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            return SavedState(
                str(data["stopped"]), tuple(int(i) for i in data["seen"]), bool(data["running"])
            )
        except FileNotFoundError:
            return SavedState()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StateFileError(f"state file {self.path}: {error}") from error

    def write(self, kept: SavedState) -> None:
        """Replace the file, unless it holds just this already. A stop is forced to the disk.

        Raises:
            StateFileError: it cannot be written.
        """
        if self.path is None or kept == self._written:
            return
        data = {"stopped": kept.stopped, "seen": list(kept.seen), "running": kept.running}
        durable = kept.stopped != (self._written or SavedState()).stopped
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


class StateWriter:
    """Writes the newest state in a thread of its own, so that no control period waits for a disk.

    A write that fails is tried again, with what is the newest then.
    """

    def __init__(self, file: StateFile) -> None:
        """Start the thread; it ends with `close`."""
        self._file = file
        self._changed = threading.Condition()  # held for no longer than it takes to swap a value
        self._wanted: SavedState | None = None
        self._pending = False
        self._closed = False
        self._problem = ""
        self._thread = threading.Thread(target=self._work, name="state file", daemon=True)
        self._thread.start()

    def write(self, kept: SavedState) -> None:
        """From now on this is to be in the file."""
        with self._changed:
            if kept != self._wanted:
                self._wanted, self._pending = kept, True
                self._changed.notify_all()

    def pop_problem(self) -> str:
        """Why the last write failed, once; empty where it did not."""
        with self._changed:
            problem, self._problem = self._problem, ""
        return problem

    def flush(self, timeout: float) -> bool:
        """Wait until the file holds the newest state, for at most `timeout` s; whether it does."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending, timeout)

    def close(self, timeout: float = 2.0) -> None:
        """Write what is pending and end the thread; waits for at most `timeout` s."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(timeout)

    def _work(self) -> None:
        while (kept := self._next()) is not None:
            try:
                self._file.write(kept)
                problem = ""
            except StateFileError as error:
                problem = str(error)
            with self._changed:
                self._problem = problem
                self._pending = bool(problem) or kept != self._wanted
                self._changed.notify_all()
                if problem and not self._closed:
                    self._changed.wait(RETRY)
                if problem and self._closed:
                    return

    def _next(self) -> SavedState | None:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closed)
            return self._wanted if self._pending else None


def default_path(namespace: str, domain: str) -> Path:
    """Where the state of the safety node of this namespace and DDS domain is kept."""
    home = os.environ.get("ROS_HOME") or os.path.join(os.path.expanduser("~"), ".ros")
    name = re.sub(r"[^A-Za-z0-9]+", "_", namespace).strip("_") or "root"
    return Path(home) / "vla_safety" / f"domain_{domain or '0'}_{name}.json"
