"""Outcome of one control period. Free of ROS."""

from __future__ import annotations

from dataclasses import dataclass

from vla_contract.message_enums import State, Verdict
from vla_safety.limits.limiter import Array, LimitViolation
from vla_safety.watch.fault_levels import FaultReport
from vla_safety.watch.safety_states import ACTING, Cause


@dataclass(frozen=True)
class Situation:
    """What holds beside the command of a period: why, since when, and by which settings.

    since: of the state, ns. cause: the one that decides. causes: all of them.
    command_id, command: the command in force. stop_word_heard: ns, of the last one obeyed.
    recovery_left: s. faults: levels of other nodes above OK.
    bad_chunks: refused ones since the last good one. often_bad: these are an error.
    home, home_message: the way to the start pose, a `HomeState` and words.
    """

    state: State
    since: int
    cause: Cause | None
    causes: tuple[Cause, ...]
    armed: bool
    shadow: bool
    speed_scale: float
    command_id: int
    command: str
    stop_word_heard: int
    recovery_left: float
    faults: tuple[FaultReport, ...]
    bad_chunks: int
    often_bad: bool
    home: int = 0
    home_message: str = ""


@dataclass(frozen=True)
class Decision:
    """Outcome of one control period.

    requested: what the plan or a person asked for, SI; None where nothing is asked for.
    safe: what may go to the robot, SI. observation_stamp: ns, 0 where none is acted on.
    connected: the outputs are connected; otherwise `safe` is only shown.
    warnings: soft thresholds that `safe` is above. input: who drives; empty where nobody does.
    missed: periods that the loop has stood still for before this one, where it did for long.
    path_speed: share of the planned speed, 0 to 1. slowed_by: what decides it; empty: nothing.
    """

    verdict: Verdict
    state: State
    requested: list[float] | None
    safe: Array
    violations: tuple[LimitViolation, ...]
    emergency: bool
    connected: bool
    standstill: bool
    situation: Situation
    observation_stamp: int = 0
    observation_age: float | None = None
    command_id: int = 0
    warnings: tuple[LimitViolation, ...] = ()
    input: str = ""
    missed: int = 0
    path_speed: float = 1.0
    slowed_by: str = ""


def verdict_of(state: State, violations: tuple[LimitViolation, ...]) -> Verdict:
    """The verdict in a state, with these limits having changed the request."""
    if state is State.STOPPED:
        return Verdict.STOPPED
    if state not in ACTING:
        return Verdict.HELD
    return Verdict.LIMITED if violations else Verdict.PASS
