"""The graph as child processes of a command, with no process left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vla_cli.client import paths
from vla_cli.client.command_errors import CommandError
from vla_cli.drive import launch_command

PR_SET_PDEATHSIG = 1
CHECK_PERIOD = 0.5  # s
COMPOSED = b"perception_and_policy"  # an executable that runs two nodes
END_TIMEOUT = 15.0  # s that the launch has to end its nodes, which brake first
_prctl = ctypes.CDLL(None).prctl


def end_with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """What a child does before it runs: ask for a signal at this process's death.

    The kernel means the parent's thread, so start such children from the main thread.
    """
    parent = os.getpid()

    def prepare() -> None:
        _prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died in between
            os.kill(os.getpid(), number)

    return prepare


def descendants(pid: int) -> list[int]:
    """Process ids of all that a process has started, and they in turn."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := parent_of(int(entry.name))) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, open_ = [], [pid]
    while open_:
        open_ += (new := children.get(open_.pop(), []))
        found += new
    return found


def parent_of(pid: int) -> int | None:
    """Process id of the parent; None where there is no such process, or a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[1])


class LaunchedGraph:
    """A launch file that runs as a child of this process, with its output in a file."""

    def __init__(
        self,
        file: str,
        arguments: Mapping[str, Any],
        domain: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            file: path or name of the launch file.
            arguments: of the launch file; bools are written as XML wants them.
            domain: ROS domain of the graph.
            log: where its output goes.
            environment: more variables.
        """
        words = [f"{name}:={_text(value)}" for name, value in arguments.items()]
        self.log = log
        self._next_check = 0.0
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                launch_command.command(paths.launch_file(file), words),
                env={
                    **os.environ,
                    "PYTHONUNBUFFERED": "1",
                    "ROS_DOMAIN_ID": str(domain),
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C at the terminal is passed on in order
                preexec_fn=end_with_parent(),
            )

    def check(self) -> None:
        """Look at the output, at most twice a second.

        Raises:
            CommandError: a node cannot work or has died, or the launch has ended. The message is
                the node's own.
        """
        if time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + CHECK_PERIOD
        ended = self.process.poll() is not None
        lines = self.log.read_text(errors="replace").splitlines()
        if words := failure(lines, ended):
            raise CommandError(f"{words} (all of it: {self.log})")

    def nodes(self) -> dict[str, int]:
        """Process id of each node by its name; COMPOSED where two share a process."""
        found = {}
        for pid in descendants(self.process.pid):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            for word in words:
                if word.startswith(b"__node:="):
                    found[word[len(b"__node:=") :].decode()] = pid
                elif word.endswith(COMPOSED):
                    found[COMPOSED.decode()] = pid
        return found

    def stop(self) -> None:
        """End the launch and everything that it has started; SIGKILL for what does not obey."""
        started = {self.process.pid, *descendants(self.process.pid)}
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(END_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        end = time.monotonic() + 1.0
        while (left := alive(started)) and time.monotonic() < end:
            time.sleep(0.02)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def failure(lines: list[str], ended: bool) -> str:
    """Why a graph cannot work, from its output; empty where it can.

    Args:
        lines: what it has printed.
        ended: its launch has ended, whatever it has printed.
    """
    for line in lines:
        if "[FATAL]" in line or "process has died" in line:
            return line.strip()
    if not ended:
        return ""
    errors = [line for line in lines if "error" in line.lower() or "launch_runner:" in line]
    return "the graph has ended: " + (errors or lines or ["no output"])[-1].strip()


def alive(pids: set[int]) -> set[int]:
    """Those of the processes that still run."""
    return {pid for pid in pids if parent_of(pid) is not None}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def age(pid: int | None = None) -> float:
    """Time since a process (this one) started, s; exec keeps it, so ./vla's set-up counts."""
    stat = Path(f"/proc/{pid or os.getpid()}/stat").read_text().rpartition(")")[2].split()
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - int(stat[19]) / os.sysconf("SC_CLK_TCK")
