"""Outcome of one control period. Free of ROS."""

from __future__ import annotations

from dataclasses import dataclass

from vla_contract.message_enums import State, Verdict
from vla_safety.limits.limiter import Array, LimitViolation


@dataclass(frozen=True)
class Decision:
    """Outcome of one control period.

    requested: what the plan or a person asked for, SI; None where nothing is asked for.
    safe: what may go to the robot, SI. observation_stamp: ns, 0 where none is acted on.
    connected: the outputs are connected; otherwise `safe` is only shown.
    warnings: soft thresholds that `safe` is above. input: who drives; empty where nobody does.
    missed: periods that the loop has stood still for before this one, where it did for long.
    """

    verdict: Verdict
    state: State
    requested: list[float] | None
    safe: Array
    violations: tuple[LimitViolation, ...]
    emergency: bool
    connected: bool
    standstill: bool
    observation_stamp: int = 0
    observation_age: float | None = None
    command_id: int = 0
    warnings: tuple[LimitViolation, ...] = ()
    input: str = ""
    missed: int = 0


def verdict_of(state: State, violations: tuple[LimitViolation, ...]) -> Verdict:
    """The verdict in a state, with these limits having changed the request."""
    if state is State.STOPPED:
        return Verdict.STOPPED
    if state not in (State.NOMINAL, State.DEGRADED):
        return Verdict.HELD
    return Verdict.LIMITED if violations else Verdict.PASS
