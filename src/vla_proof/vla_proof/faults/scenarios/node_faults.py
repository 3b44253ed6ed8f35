"""Scenarios: SIGKILL and SIGSTOP of every node."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise

from vla_proof.faults import fault_checks
from vla_proof.faults.fault_rig import Rig
from vla_proof.faults.fault_scenario import Injected, Recovery, Scenario
from vla_proof.faults.pretended import pretended_base
from vla_proof.faults.recorded_commands import Reaction

PATIENCE = 60.0  # s for a node that starts again
SLEEP = 2.0  # s that a stopped node stands still
NANOSECOND = 1e-9


def scenarios() -> list[Scenario]:
    """All of them."""
    return [
        *(_of_input(node) for node in ("perception", "policy", "robot")),
        *_of_input_stopped(),
        _safety(
            "kill_safety", "SIGKILL of safety", _kill("safety"), _wait_for("safety"),
            "The driver's watchdog brakes; the node comes back in HOLD and moves for a new command",
        ),
        _safety(
            "stop_safety", "SIGSTOP of safety, then SIGCONT", _stop("safety"), _continue("safety"),
            "The driver's watchdog brakes; no old speed is resumed, safety holds, starts from "
            "what was measured, and goes on by itself", Recovery.ITSELF,
        ),
    ]  # fmt: skip


def _of_input(node: str) -> Scenario:
    what = "camera and driver" if node == "robot" else node
    by = Recovery.COMMAND if node == "perception" else Recovery.ITSELF
    return Scenario(
        name=f"kill_{node}",
        what=f"SIGKILL of {what}",
        expected="HOLD when the last observation acted on gets too old; "
        + ("a new command once it is back" if by is Recovery.COMMAND else "goes on by itself"),
        inject=_kill(node),
        clear=_wait_for(node),
        timeout=lambda rig: float(rig.safety["chunk_timeout"]),
        recovery=by,
    )


def _of_input_stopped() -> Iterator[Scenario]:
    for node in ("perception", "policy", "robot"):
        what = "camera and driver" if node == "robot" else node
        yield Scenario(
            name=f"stop_{node}",
            what=f"SIGSTOP of {what}, then SIGCONT",
            expected="HOLD when the last observation acted on gets too old; goes on by itself",
            inject=_stop(node),
            clear=_continue(node),
            timeout=lambda rig: float(rig.safety["chunk_timeout"]),
            lasting=SLEEP - 1.0,
        )


def _safety(
    name: str,
    what: str,
    inject: Callable[[Rig], Injected],
    clear: Callable[[Rig], None],
    expected: str,
    recovery: Recovery = Recovery.COMMAND,
) -> Scenario:
    return Scenario(
        name=name,
        what=what,
        expected=expected,
        inject=inject,
        clear=clear,
        timeout=lambda rig: pretended_base.WATCHDOG,
        recovery=recovery,
        lasting=SLEEP - 1.0,
        judge=_no_jump,
        reaction=_driver_reaction,
    )


def _kill(node: str) -> Callable[[Rig], Injected]:
    def inject(rig: Rig) -> Injected:
        pid = rig.pid(node)
        now = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        rig.scratch.killed = pid
        return Injected(now)

    return inject


def _stop(node: str) -> Callable[[Rig], Injected]:
    def inject(rig: Rig) -> Injected:
        pid = rig.pid(node)
        now = time.monotonic_ns()
        os.kill(pid, signal.SIGSTOP)
        return Injected(now)

    return inject


def _continue(node: str) -> Callable[[Rig], None]:
    return lambda rig: os.kill(rig.pid(node), signal.SIGCONT)


def _wait_for(node: str) -> Callable[[Rig], None]:
    def clear(rig: Rig) -> None:
        if node == "robot":
            rig.robot.stop()
            rig.robot.start()
            return
        rig.wait(lambda: rig.launched.nodes().get(node) not in (None, rig.scratch.killed), PATIENCE)
        since = time.monotonic_ns()
        rig.wait(lambda: rig.record.alive.get(node, 0) > since, PATIENCE)

    return clear


def _driver_reaction(rig: Rig, injected: Injected) -> Reaction | None:
    """From the last command that the driver got to its own brake, and until it rests.

    Of the measured velocity, which is published at 50 Hz.
    """
    heard = [m.arrived for m in rig.record.sent if m.arrived <= injected.since + 100_000_000]
    later = [m for m in rig.record.measured if m.arrived >= injected.since]
    rest = next((m for m in later if m.linear == 0.0 and m.angular == 0.0), None)
    if rest is None or not heard:
        return None
    cruise = later[0].linear
    first = next(m for m in later if m.linear < cruise - 1e-9)
    return Reaction(
        reaction=(first.arrived - heard[-1]) * NANOSECOND,
        braking=(rest.arrived - first.arrived) * NANOSECOND,
        timeout=pretended_base.WATCHDOG,
    )


def _no_jump(rig: Rig, injected: Injected) -> Iterator[str]:
    """The first command after the pause is what the robot does: it stands.

    By the commands' own stamps: one that was under way when the process froze is delivered after.
    """
    for before, after in pairwise(rig.record.ticks):
        pause = after.stamp - before.stamp
        if after.arrived >= injected.since and pause > round(pretended_base.WATCHDOG * 2e9):
            yield from fault_checks.restart_problems(after.safe, (0.0, 0.0), rig.space)
            return
    yield "no pause of the commands was seen"
