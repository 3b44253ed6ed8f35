"""`vla bench commands`: how long `say`, `status`, `stop` and `reset` take, and until it stops.

The simulated robot's graph runs; each command is a process of its own, timed from its start to its
end, and a stop also to the first safety_status that says STOPPED, as this process hears it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vla_cli.client import domains, options, paths, processes
from vla_cli.client.command_errors import ignore_signals, raise_on_signals
from vla_contract import topics
from vla_contract.percentiles import percentiles

if TYPE_CHECKING:
    from vla_cli.client.graph_client import Graph

COMMANDS = {"say": ["open", "the", "drawer"], "status": [], "stop": [], "reset": []}  # in turn
LATCHED = "stop, until latched"
LONGEST = 1.5  # s
READY_TIMEOUT = 120.0  # s
NEWS_TIMEOUT = 20.0  # s
COMMAND_TIMEOUT = 60.0  # s


def main(arguments: list[str]) -> int:
    """0: all took at most 1.5 s; 1: one took longer, where with --stop the latch alone counts."""
    parser = options.parser("bench commands", __doc__.split("\n")[0])
    parser.add_argument("--runs", type=options.at_least(1), default=20, help="default: 20")
    parser.add_argument(
        "--busy", type=options.at_least(0), default=0, help="processes that compute (default: 0)"
    )
    parser.add_argument("--stop", action="store_true", help="measure the stop alone")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    times = measure(["stop"] if chosen.stop else list(COMMANDS), chosen.runs, chosen.busy)
    print(f"{os.cpu_count()} cores, {chosen.busy} busy processes, {chosen.runs} runs")
    print("\n".join(lines(times)))
    asked = [LATCHED] if chosen.stop else list(times)
    return int(any(max(times[name]) > LONGEST for name in asked))


def lines(times: dict[str, list[float]]) -> list[str]:
    """A table: how many were within the target, and percentiles; times in s."""
    rows = [f"{'':<20} {'within ' + format(LONGEST, 'g') + ' s':>14} {'p50':>6} {'p95':>6} max"]
    for name, taken in times.items():
        p50, p95 = percentiles(taken, 50, 95)
        within = f"{sum(each <= LONGEST for each in taken)} of {len(taken)}"
        rows.append(f"{name:<20} {within:>14} {p50:6.2f} {p95:6.2f} {max(taken):.2f} s")
    return rows


def measure(commands: list[str], runs: int, busy: int) -> dict[str, list[float]]:
    """Command → its times, s; infinite for a stop that latched nothing."""
    from vla_cli.client.graph_client import Graph, stay_on_this_machine

    stay_on_this_machine()
    domain = domains.free()
    log = paths.output_folder() / "bench_commands.log"
    with tempfile.TemporaryDirectory(prefix="vla_bench_") as folder:
        launched = processes.LaunchedGraph(
            "sim", {"task": "drawer-open"}, domain, log, {"ROS_HOME": folder}
        )
        try:
            with Graph(domain=domain) as graph:
                bench = CommandsBench(graph, launched)
                bench.wait_until_ready()
                with busy_processes(busy):
                    return bench.run(commands, runs)
        finally:
            ignore_signals()
            launched.stop()


@contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """Processes that compute until the end of the block."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", "while True: pass"], preexec_fn=processes.end_with_parent()
        )
        for _ in range(number)
    ]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


class CommandsBench:
    """Runs commands against a graph and listens to its safety."""

    def __init__(self, graph: Graph, launched: processes.LaunchedGraph) -> None:
        from vla_interfaces.msg import SafetyStatus

        self._graph, self._launched = graph, launched
        self._stopped = SafetyStatus.STATE_STOPPED
        self._statuses = graph.collect(SafetyStatus, topics.SAFETY_STATUS, keep=1)

    def _is_stopped(self) -> bool:
        return bool(self._statuses and self._statuses[-1].state == self._stopped)

    def wait_until_ready(self) -> None:
        """Wait until a command is accepted.

        Raises:
            CommandError: none is.
        """

        def ready() -> bool:
            self._launched.check()
            return self._run("say")[1] == 0

        self._graph.require(ready, READY_TIMEOUT, f"no command is accepted; {self._launched.log}")

    def run(self, commands: list[str], runs: int) -> dict[str, list[float]]:
        """Command → its times, s; each follows the others in turn, and a stop is reset.

        Raises:
            CommandError: a reset changed nothing: the next stop would tell nothing either.
        """
        from std_srvs.srv import Trigger

        times: dict[str, list[float]] = {name: [] for name in (*commands, LATCHED)}
        for _ in range(runs):
            for command in commands:
                taken, _, latched = self._run(command)
                times[command].append(taken)
                if command == "stop":
                    times[LATCHED].append(latched)
                self._launched.check()
            if "reset" not in commands:
                self._graph.call(Trigger, topics.RESET_SERVICE, Trigger.Request())
            what = f"the stop was not reset; {self._launched.log}"
            self._graph.require(lambda: not self._is_stopped(), NEWS_TIMEOUT, what)
        return times

    def _run(self, command: str) -> tuple[float, int, float]:
        """Time of a command, its exit status, and the time until safety said STOPPED, s."""
        begin, latched = time.monotonic(), float("inf")
        process = subprocess.Popen(
            [*entry(), command, *COMMANDS[command]],
            env={**os.environ, "ROS_DOMAIN_ID": str(self._graph.domain)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=processes.end_with_parent(),
        )

        def ended() -> bool:
            nonlocal latched
            if self._is_stopped():
                latched = min(latched, time.monotonic() - begin)
            return process.poll() is not None

        try:
            self._graph.require(ended, COMMAND_TIMEOUT, f"./vla {command} does not end")
        finally:
            process.kill()
            process.wait()
        taken = time.monotonic() - begin
        if command == "stop" and not self._graph.wait(self._is_stopped, NEWS_TIMEOUT):
            return taken, process.returncode, latched
        return taken, process.returncode, min(latched, time.monotonic() - begin)


def entry() -> list[str]:
    """The script that a person calls; where there is only an install, what it ends in."""
    script = Path(os.environ.get("VLA_ROOT", ""), "vla")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "vla_cli"]
