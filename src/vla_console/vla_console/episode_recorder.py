"""Episodes from the page: `vla record` as a process of its own, and a person's verdict beside it.

An episode is a folder with the bag and `episode.json`: command, when, outcome, note, and when a
person drove. It is crash-safe as `vla record` is; what nobody has judged has no episode.json.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

END_TIMEOUT = 10.0  # s that the recorder has to close its bag
WARN_FACTOR = 5.0  # times the least free space, below which the page warns
OUTCOMES = ("success", "failure")
VERDICT = "episode.json"
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl


class EpisodeError(Exception):
    """An episode cannot be recorded or judged; the message is one line."""


class EpisodeRecorder:
    """At most one episode at a time.

    Attributes:
        problem: why the last one ended by itself; empty where none did.
    """

    def __init__(self, folder: Path, namespace: str, least_free: float) -> None:
        """folder: of the episodes. least_free: disk space without which nothing is recorded, B."""
        self.problem = ""
        self._root = folder
        self._namespace = namespace
        self._least_free = least_free
        self._process: subprocess.Popen[bytes] | None = None
        self._episode: Path | None = None
        self._began = 0.0
        self._begun = 0

    @property
    def is_recording(self) -> bool:
        """Whether an episode runs."""
        return self._process is not None

    @property
    def began(self) -> float:
        """When it began, wall clock, s."""
        return self._began

    def free(self) -> float:
        """Disk space left, B."""
        folder = self._root
        while not folder.exists():
            folder = folder.parent
        return float(shutil.disk_usage(folder).free)

    def page(self, now: float) -> dict[str, Any]:
        """For JSON. now: wall clock, s."""
        free = self.free()
        return {
            "recording": self.is_recording,
            "name": self._episode.name if self._episode else "",
            "seconds": round(now - self._began, 1) if self.is_recording else None,
            "free": free,
            "low": free < WARN_FACTOR * self._least_free,
            "full": free < self._least_free,
            "problem": self.problem,
        }

    def start(self) -> Path:
        """Begin an episode; its folder.

        Raises:
            EpisodeError: one runs, the disk is full, or there is no recorder.
        """
        if self._process is not None:
            raise EpisodeError("an episode is being recorded; end or discard it first")
        if (free := self.free()) < self._least_free:
            raise EpisodeError(
                f"{free / 1e9:.1f} GB are left in {self._root}; accepted: at least "
                f"{self._least_free / 1e9:.1f} GB (parameter episodes_least_free)"
            )
        self._begun += 1
        name = time.strftime("episode_%Y%m%d_%H%M%S")
        folder = self._root / (
            name if not (self._root / name).exists() else f"{name}_{self._begun}"
        )
        words = [sys.executable, "-m", "vla_cli", "record", "--namespace", self._namespace]
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            log = (self._root / "record.log").open("wb")
        except OSError as error:
            raise EpisodeError(f"cannot write {self._root}: {error.strerror}") from error
        with log:
            self._process = subprocess.Popen(
                [*words, "--out", str(folder / "bag")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_in_order_with_parent,
            )
        self._episode, self._began = folder, time.time()
        self.problem = ""
        return folder

    def check(self) -> bool:
        """Look at the recorder and the disk; True where the episode has ended by itself."""
        if self._process is None:
            return False
        if self._process.poll() is not None:
            lines = (self._root / "record.log").read_text(errors="replace").splitlines()
            self.problem = f"the recorder has ended: {(lines or ['it said nothing'])[-1]}"
        elif self.free() < 0.5 * self._least_free:
            self.problem = "the disk is nearly full: the episode was ended and kept, unjudged"
            self._end()
        else:
            return False
        self._process = None
        return True

    def finish(
        self, outcome: str, note: str, command: str, takeovers: Sequence[tuple[float, float]]
    ) -> Path:
        """End the episode with a verdict; its folder. Waits for the recorder.

        Args:
            outcome: one of OUTCOMES. command: the last one of the episode.
            takeovers: when a person drove, s from the beginning.

        Raises:
            EpisodeError: none runs, the outcome is none, or the verdict cannot be written.
        """
        if outcome not in OUTCOMES:
            raise EpisodeError(f"outcome {outcome!r}; accepted: {', '.join(OUTCOMES)}")
        folder, ended = self._running(), time.time()
        self._end()
        verdict = {
            "command": command,
            "outcome": outcome,
            "note": note,
            "began": self._began,
            "seconds": round(ended - self._began, 3),
            "interventions": [[round(a, 3), round(b, 3)] for a, b in takeovers],
        }
        scratch = folder / f".{VERDICT}"
        try:
            scratch.write_text(json.dumps(verdict, indent=2, ensure_ascii=False) + "\n")
            os.replace(scratch, folder / VERDICT)  # whole, or not at all
        except OSError as error:
            raise EpisodeError(f"cannot write {folder / VERDICT}: {error.strerror}") from error
        return folder

    def discard(self) -> Path:
        """End the episode and delete its folder, which is returned. Waits for the recorder.

        Raises:
            EpisodeError: none runs, or it cannot be deleted.
        """
        folder = self._running()
        self._end()
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            pass  # nothing was recorded yet
        except OSError as error:
            raise EpisodeError(f"cannot delete {folder}: {error.strerror}") from error
        return folder

    def close(self) -> None:
        """End what runs; it is kept, unjudged."""
        if self._process is not None:
            self._end()

    def _running(self) -> Path:
        if self._process is None or self._episode is None:
            raise EpisodeError(self.problem or "no episode is being recorded; start one first")
        return self._episode

    def _end(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _end_in_order_with_parent() -> None:
    """What the recorder does before it runs: when the console dies, it closes its bag and ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
