"""Scenarios: what a policy server can do, over each protocol, with no local policy beside it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from vla_contract.action_space import ActionSpace
from vla_policy.remote import protocols
from vla_proof.faults.fault_rig import Rig, Settings
from vla_proof.faults.fault_scenario import Injected, Scenario
from vla_proof.faults.pretended.pretended_server import ServerMode

HOLD = "HOLD when the last observation acted on gets too old; goes on by itself"
SPOILT = {
    ServerMode.NAN: "answers NaN",
    ServerMode.GARBAGE: "answers bytes at random",
    ServerMode.SHAPE: "answers rows of one column",
    ServerMode.ERROR: "answers with the protocol's report of an error",
    ServerMode.LATE: "answers 1 s late",
    ServerMode.FLOOD: "answers with more bytes than the limit of 64 MiB",
}


def scenarios() -> list[Scenario]:
    """All of them."""
    return [scenario for protocol in protocols.NAMES for scenario in _of(protocol)]


def _of(protocol: str) -> list[Scenario]:
    def scenario(
        name: str,
        what: str,
        inject: Callable[[Rig], Injected],
        clear: Callable[[Rig], object],
        braking: Callable[[ActionSpace], float] = lambda space: space.braking_time,
    ) -> Scenario:
        return Scenario(
            name=f"server_{name}_{protocol.replace('-', '_')}",
            what=f"the {protocol} server {what}",
            expected=HOLD,
            inject=inject,
            clear=clear,
            timeout=lambda rig: float(rig.safety["chunk_timeout"]),
            braking=braking,
            settings=Settings(server=protocol),
        )

    return [
        scenario("dies", "dies (SIGKILL) and comes again", _kill, _start),
        scenario("hangs", "hangs (SIGSTOP, then SIGCONT)", _stop, _continue),
        *(
            scenario(mode.value, what, _spoil(mode), _good, _longest_brake)
            for mode, what in SPOILT.items()
        ),
    ]


def _longest_brake(space: ActionSpace) -> float:
    """Time to rest within the normal limits, s: what a policy answers is no emergency."""
    limits = [dimension.normal for dimension in space.dimensions]
    return max(n.velocity / n.deceleration + n.deceleration / n.jerk for n in limits)


def _kill(rig: Rig) -> Injected:
    return _signalled(rig, signal.SIGKILL)


def _stop(rig: Rig) -> Injected:
    return _signalled(rig, signal.SIGSTOP)


def _signalled(rig: Rig, number: int) -> Injected:
    assert rig.server is not None
    now = time.monotonic_ns()
    os.kill(rig.server.process.pid, number)
    return Injected(now)


def _start(rig: Rig) -> None:
    assert rig.server is not None
    rig.server.stop()
    rig.server.start()
    rig.server.answer()


def _continue(rig: Rig) -> None:
    _signalled(rig, signal.SIGCONT)


def _spoil(mode: ServerMode) -> Callable[[Rig], Injected]:
    def inject(rig: Rig) -> Injected:
        assert rig.server is not None
        return Injected(rig.server.tell(mode.value)["at"])

    return inject


def _good(rig: Rig) -> None:
    assert rig.server is not None
    rig.server.tell(ServerMode.GOOD.value)
