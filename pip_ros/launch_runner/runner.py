"""A launch file as a set of running processes."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from .errors import LaunchError
from .interpreter import interpret
from .process import CANNOT_START, Process
from .specs import ProcessSpec


def print_line(line: str) -> None:
    """Print a line at once; a reader that has gone away is no reason to stop a robot."""
    try:
        print(line, flush=True)
    except (BrokenPipeError, ValueError):
        sys.stdout = None  # type: ignore[assignment]  # print() then does nothing


class LaunchRunner:
    """Starts the processes of a launch file and ends them.

    Ending is SIGINT to all (to nodes SIGTERM, which they obey alike), SIGTERM `sigterm_timeout`
    seconds later to those still there, SIGKILL `sigkill_timeout` seconds after that.

    Raises:
        LaunchError: the file, an included one or an argument is wrong; nothing is started then.
    """

    def __init__(
        self,
        file: str | Path,
        arguments: Mapping[str, str] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        print_line: Callable[[str], None] = print_line,
        sigterm_timeout: float = 5.0,
        sigkill_timeout: float = 5.0,
    ) -> None:
        self.specs: list[ProcessSpec] = interpret(Path(file), arguments or {}, environment)
        self.processes: dict[str, Process] = {}
        self._print_lock = threading.Lock()
        self._print_line = print_line
        for spec in self.specs:
            self.processes[spec.label] = Process(spec, self._print)
        self._timeouts = (sigterm_timeout, sigkill_timeout)
        self._terminating = threading.Event()

    def _print(self, line: str) -> None:
        with self._print_lock:
            self._print_line(line)

    def start(self) -> None:
        """Start every process."""
        for process in self.processes.values():
            process.start()

    def running(self) -> bool:
        """Return whether any process runs or will be started again."""
        return any(process.alive for process in self.processes.values())

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end of all processes and return the exit code, or None at the timeout.

        The code is 1 where a process ended by itself with an error, or had to be killed; else 0.
        """
        end = None if timeout is None else time.monotonic() + timeout
        for process in self.processes.values():
            if not process.wait(None if end is None else max(0.0, end - time.monotonic())):
                return None
        return self.exit_code()

    def failure(self) -> str:
        """Return why a process said that it cannot start; empty where none did."""
        return next((p.fatal for p in self.processes.values() if p.returncode == CANNOT_START), "")

    def exit_code(self) -> int:
        """Return 1 where a process ended by itself with an error, or had to be killed; else 0.

        It is 78 where one cannot start, whether the launch was asked to end or not.
        """
        processes = self.processes.values()
        if any(process.returncode == CANNOT_START for process in processes):
            return CANNOT_START
        if self._terminating.is_set():
            return int(any(signal.SIGKILL in process.sent for process in processes))
        return int(any(process.returncode for process in processes))

    def terminate(self) -> int:
        """End every process, waiting for their end, and return the exit code."""
        self._terminating.set()
        for process in self.processes.values():
            process.stop_respawning()
        for number, patience in (
            (signal.SIGINT, self._timeouts[0]),
            (signal.SIGTERM, self._timeouts[1]),
            (signal.SIGKILL, None),
        ):
            self._signal_all(number)
            code = self.wait(patience)
            if code is not None:
                return code
        return self.exit_code()

    def _signal_all(self, number: signal.Signals) -> None:
        for label, process in self.processes.items():
            if process.pid is None:
                continue
            # One that is still being imported would answer SIGINT with a traceback.
            is_node = process.spec.node is not None
            sent = signal.SIGTERM if is_node and number is signal.SIGINT else number
            self._print(f"[INFO] [{label}]: sending signal '{sent.name}' to process[{label}]")
            process.signal(sent)

    def pids(self) -> dict[str, int]:
        """Return the process id of every running node by its name.

        Where two nodes share a name, their namespaces are part of it. A process without a node's
        name stands under its label.
        """
        short = Counter((spec.node or spec.label).rsplit("/", 1)[-1] for spec in self.specs)
        pids = {}
        for spec in self.specs:
            name = spec.node or spec.label
            pid = self.processes[spec.label].pid
            if pid is not None:
                pids[name if short[name.rsplit("/", 1)[-1]] > 1 else name.rsplit("/", 1)[-1]] = pid
        return pids

    def process(self, node: str) -> Process:
        """Return the process of a node, by its name with or without the namespace, or by its label.

        Raises:
            LaunchError: there is none, or more than one.
        """
        found = [
            spec
            for spec in self.specs
            if node in (spec.label, spec.node) or (spec.node or "").rsplit("/", 1)[-1] == node
        ]
        if len(found) != 1:
            known = ", ".join(spec.node or spec.label for spec in self.specs)
            raise LaunchError(f"'{node}' names {len(found)} processes, expected one of: {known}")
        return self.processes[found[0].label]

    def __enter__(self) -> LaunchRunner:
        """Start every process."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End every process."""
        self.terminate()
