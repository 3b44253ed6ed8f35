"""Scenarios: the operator's page is killed, or flooded by garbage, while the policy drives."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from vla_cli.client import processes
from vla_cli.client.command_errors import CommandError
from vla_proof.faults.fault_rig import Child, Rig
from vla_proof.faults.fault_scenario import Injected, Scenario
from vla_proof.faults.recorded_commands import MOVING

ADDRESS = "the operator's page: "
START_TIMEOUT = 90.0  # s
LEAST_MESSAGES = 1000  # that a flood must have sent to be one
EXPECTED = "nothing changes on the robot"


def scenarios() -> list[Scenario]:
    """All of them."""
    return [
        Scenario(
            name="console_killed",
            what="SIGKILL of the console, with a page open",
            expected=EXPECTED,
            inject=_kill,
            clear=_end,
            lasting=2.0,
            judge=_undisturbed,
            unavailable=_unavailable,
        ),
        Scenario(
            name="console_flooded",
            what="garbage to the console, up to 10,000 messages a second",
            expected=EXPECTED,
            inject=_flood,
            clear=_end,
            lasting=3.0,
            judge=_flooded,
            unavailable=_unavailable,
        ),
    ]


def _unavailable() -> str:
    missing = [m for m in ("aiohttp", "vla_console") if importlib.util.find_spec(m) is None]
    return f"{' and '.join(missing)} is not installed" if missing else ""


def _start(rig: Rig) -> str:
    """A console beside the graph; the address of its page.

    Raises:
        CommandError: it does not start.
    """
    log = rig.log.with_suffix(".console.log")
    with log.open("wb") as output:
        rig.scratch.console = subprocess.Popen(
            [sys.executable, "-m", "vla_console.node", "--ros-args", "-r", "__ns:=/vla",
             "-p", "port:=0"],
            env={**os.environ, "ROS_DOMAIN_ID": str(rig.domain), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            preexec_fn=_as_ordinary_process(),
        )  # fmt: skip
    if not rig.wait(lambda: ADDRESS in log.read_text(errors="replace"), START_TIMEOUT):
        raise CommandError(f"the console does not start; see {log}")
    return log.read_text(errors="replace").split(ADDRESS)[1].split()[0]


def _as_ordinary_process() -> Callable[[], None]:
    """What the console does before it runs: it has no real-time priority, whoever starts it."""
    end_with_parent = processes.end_with_parent()

    def prepare() -> None:
        end_with_parent()
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    return prepare


def _kill(rig: Rig) -> Injected:
    _start(rig)
    rig.spin(1.0)
    assert rig.scratch.console is not None
    rig.scratch.console.send_signal(signal.SIGKILL)
    return Injected(time.monotonic_ns())


def _flood(rig: Rig) -> Injected:
    address = _start(rig)
    flood = Child(
        rig.domain, rig.log.with_suffix(".flood.log"),
        "vla_proof.faults.pretended.console_flood", address,
    )  # fmt: skip
    rig.scratch.flood, rig.scratch.flood_began = flood, flood.tell("")
    return Injected(time.monotonic_ns())


def _end(rig: Rig) -> None:
    if rig.scratch.flood is not None:
        rig.scratch.flood_ended = rig.scratch.flood.tell("")
        rig.scratch.flood.stop()
        rig.scratch.flood = None
    console = rig.scratch.console
    assert console is not None
    if console.poll() is None:
        console.send_signal(signal.SIGINT)
    try:
        console.wait(10.0)
    except subprocess.TimeoutExpired:
        console.kill()
        console.wait()


def _undisturbed(rig: Rig, injected: Injected) -> Iterator[str]:
    """The robot went on as it did: no period held, none commanded otherwise."""
    ticks = [tick for tick in rig.record.ticks if tick.arrived >= injected.since]
    held = [tick for tick in ticks if tick.state not in MOVING]
    if held:
        yield f"{len(held)} of {len(ticks)} periods were held: {rig.cause()}"
    if len({tick.safe for tick in ticks}) > 1:
        yield "the command changed"


def _flooded(rig: Rig, injected: Injected) -> Iterator[str]:
    began, ended = rig.scratch.flood_began, rig.scratch.flood_ended
    seconds = (ended["at"] - began["at"]) * 1e-9
    sent, refused = (ended[name] - began[name] for name in ("messages", "refused"))
    rig.notes["console_flooded"] = (
        f"{sent / seconds:.0f} messages a second were sent and {refused / seconds:.0f} connections "
        "a second refused in the last repeat"
    )
    if ended["messages"] < LEAST_MESSAGES:
        yield f"only {ended['messages']} messages could be sent"
    yield from _undisturbed(rig, injected)
