"""Scenarios: what a policy can send. A pretended policy takes the place of the real one."""

from __future__ import annotations

from collections.abc import Callable

from vla_proof.faults.fault_rig import Rig, Settings, Source
from vla_proof.faults.fault_scenario import Injected, Scenario
from vla_proof.faults.pretended.pretended_policy import ChunkMode

SETTINGS = Settings(pretended_policy=True)


def scenarios() -> list[Scenario]:
    """All of them."""
    return [
        _refused(ChunkMode.NAN, "a NaN or an infinity in every chunk", "every chunk is refused; "),
        _refused(ChunkMode.LATE, "chunks 1 s late", "none is acted on, each is too old; "),
        _taken(ChunkMode.RANDOM, "random values in every row of every chunk"),
        _taken(ChunkMode.EXTREME, "values up to the greatest that a float64 holds"),
        Scenario(
            name="chunks_two_publishers",
            what="a second node publishes chunks that ask for the opposite",
            expected="HOLD while it is there, naming it; goes on by itself",
            inject=_second,
            clear=_end_second,
            timeout=lambda rig: rig.publishers_period,
            settings=SETTINGS,
        ),
    ]


def _refused(mode: ChunkMode, what: str, why: str) -> Scenario:
    return Scenario(
        name=f"chunks_{mode.value}",
        what=what,
        expected=why + "HOLD when the last good observation gets too old; goes on by itself",
        inject=_send(mode),
        clear=_good,
        timeout=lambda rig: float(rig.safety["chunk_timeout"]),
        settings=SETTINGS,
    )


def _taken(mode: ChunkMode, what: str) -> Scenario:
    return Scenario(
        name=f"chunks_{mode.value}",
        what=what,
        expected="Followed as far as the limits allow, or held; nothing is out of limits",
        inject=_send(mode),
        clear=_good,
        lasting=3.0,
        settings=SETTINGS,
    )


def _send(mode: ChunkMode) -> Callable[[Rig], Injected]:
    def inject(rig: Rig) -> Injected:
        assert rig.policy is not None
        return Injected(rig.policy.order(mode.value)["at"])

    return inject


def _good(rig: Rig) -> None:
    assert rig.policy is not None
    rig.policy.order(ChunkMode.GOOD.value)


def _second(rig: Rig) -> Injected:
    rig.scratch.second_source = Source(rig.domain, rig.log, "second_policy", -0.2)
    answer = rig.scratch.second_source.answer()
    return Injected(answer["at"], last_valid=answer["stamp"])


def _end_second(rig: Rig) -> None:
    assert rig.scratch.second_source is not None
    rig.scratch.second_source.stop()
