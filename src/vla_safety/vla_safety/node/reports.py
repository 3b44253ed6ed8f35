"""What the safety node tells others: status, fault levels, diagnostics."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from vla_contract.node.diagnosis import Diagnosis
from vla_contract.stamps import to_time
from vla_interfaces.msg import Fault, SafetyStatus
from vla_safety.core import SafetyCore
from vla_safety.decision import Decision
from vla_safety.node.loop_timing import LoopTiming
from vla_safety.node.safety_conversions import fault_to_message, violations_to_messages
from vla_safety.watch.safety_inputs import FaultReport, Level
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity, State, StateMachine

# Kinds that safety itself reports, and the reasons that raise them.
_KINDS: dict[Reason, FaultKind] = {
    Reason.BAD_CHUNK: FaultKind.ACTION,
    Reason.LIMITED: FaultKind.ACTION,
    Reason.PROGRESS: FaultKind.ACTION,
    Reason.TRACKING: FaultKind.ACTION,
    Reason.CHUNK_EXHAUSTED: FaultKind.COMMUNICATION,
    Reason.CHUNK_AGE: FaultKind.COMMUNICATION,
    Reason.HEARTBEAT: FaultKind.COMMUNICATION,
    Reason.PUBLISHERS: FaultKind.COMMUNICATION,
    Reason.INPUT: FaultKind.ROBOT_STATE,
    Reason.CLOCK: FaultKind.CLOCK,
    Reason.EMERGENCY_STOP: FaultKind.EMERGENCY_STOP,
}
# Holds that are part of normal work, not something to warn of.
_QUIET = (
    Reason.START,
    Reason.EPISODE,
    Reason.COMMAND,
    Reason.DONE,
    Reason.NO_CHUNK,
    Reason.STOP_WORD,
    Reason.OUTPUTS,
    Reason.STOP_SERVICE,
    Reason.SHUTDOWN,
    Reason.RECOVERY,
    Reason.TELEOPERATION,
    Reason.OBSTACLE,
)


class FaultLevels:
    """Safety's own fault levels, with the time since when each holds."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._reports: dict[FaultKind, FaultReport] = {}

    def messages(self, core: SafetyCore, now: int) -> list[Fault]:
        """One message per kind, from the causes of the last period."""
        levels: dict[FaultKind, tuple[Level, str]] = dict.fromkeys(_KINDS.values(), (Level.OK, ""))
        for cause in core.machine.causes:
            kind = _KINDS.get(cause.reason)
            level = _level(cause, core)
            if kind is not None and level > levels[kind][0]:
                levels[kind] = (level, cause.text)
        messages = []
        for kind, (level, text) in levels.items():
            before = self._reports.get(kind)
            since = before.since if before and before.level is level else now
            report = FaultReport(self._source, kind, level, text, since)
            self._reports[kind] = report
            messages.append(fault_to_message(report, to_time(now)))
        return messages


def _level(cause: Cause, core: SafetyCore) -> Level:
    if cause.reason is Reason.BAD_CHUNK:
        often = core.bad_in_a_row >= core.config.error_count
        return Level.ERROR if often else Level.WARN
    return Level.WARN if cause.severity is Severity.DEGRADE else Level.ERROR


class StatusKey(NamedTuple):
    """What makes a status worth publishing at once."""

    state: State
    cause: str
    standstill: bool
    armed: bool
    shadow: bool
    speed_scale: float
    command_id: int
    emergency: bool
    input: str
    recovering: bool
    stop_word: int

    def differs_in_words(self, other: StatusKey) -> bool:
        """Only the cause's words differ, such as an age or a distance in them."""
        return self._replace(cause=other.cause) == other


def status_key(core: SafetyCore, decision: Decision) -> StatusKey:
    """The present one."""
    machine = core.machine
    return StatusKey(
        machine.state,
        machine.cause.text if machine.cause else "",
        decision.standstill,
        core.armed,
        core.config.shadow,
        core.config.speed_scale,
        core.gate.current,
        decision.emergency,
        decision.input,
        core.recovered.left > 0.0,
        core.stop_word_heard,
    )


@dataclass(frozen=True)
class Figures:
    """What the node knows beside the core.

    recording: folder of the last stop's, or empty. faults: safety's own levels.
    """

    timing: LoopTiming
    recording: str = ""
    faults: Sequence[Fault] = ()


def status_message(
    core: SafetyCore, decision: Decision, figures: Figures, stamp: Time
) -> SafetyStatus:
    """The whole status."""
    machine, timing = core.machine, figures.timing
    age = decision.observation_age
    message = SafetyStatus(
        state=int(machine.state),
        cause=machine.cause.text if machine.cause else "",
        clears_when=machine.cause.clears_when if machine.cause else "",
        since=to_time(machine.since),
        standstill=decision.standstill,
        armed=core.armed,
        shadow=core.config.shadow,
        speed_scale=core.config.speed_scale,
        command_id=core.gate.current,
        command=core.command,
        stop_word_stamp=to_time(core.stop_word_heard),
        observation_age=math.nan if age is None else age,
        violations=violations_to_messages(decision.violations),
        warnings=violations_to_messages(decision.warnings),
        input=decision.input,
        causes=_texts(machine),
        recovery_left=core.recovered.left,
        recording=figures.recording,
        faults=[
            *(fault for fault in figures.faults if fault.level != Fault.LEVEL_OK),
            *(fault_to_message(report, stamp) for report in core.faults.present()),
        ],
        period=timing.period,
        jitter_p99=timing.jitter_p99,
        duration_p99=timing.duration_p99,
        overruns=timing.overruns,
    )
    message.header.stamp = stamp
    return message


def _texts(machine: StateMachine) -> list[str]:
    """Every present cause in plain words, the one that decides first."""
    first = [machine.cause] if machine.cause else []
    rest = sorted(machine.causes, key=lambda cause: -cause.severity)
    return list(dict.fromkeys(cause.text for cause in (*first, *rest)))


def is_faulty(core: SafetyCore) -> bool:
    """A fault holds the robot now."""
    return any(
        cause.severity is not Severity.DEGRADE and cause.reason not in _QUIET
        for cause in core.machine.causes
    )


def diagnosis(
    core: SafetyCore, timing: LoopTiming, counters: Counter[str], faulty: int = 0
) -> Diagnosis:
    """State, cause, loop figures and every refused input by its reason.

    faulty: diagnoses in a row, this one included, in which a fault held the robot.
    """
    machine = core.machine
    values: dict[str, Any] = {
        "state": machine.state.name,
        "cause": machine.cause.text if machine.cause else "",
        "clears_when": machine.cause.clears_when if machine.cause else "",
        "outputs_connected": core.connected,
        "unread": core.unread_outputs,
        "speed_scale": core.config.speed_scale,
        "jitter_p99_ms": round(timing.jitter_p99 * 1e3, 3),
        "duration_p50_ms": round(timing.duration_p50 * 1e3, 3),
        "duration_p99_ms": round(timing.duration_p99 * 1e3, 3),
        "overruns": timing.overruns,
        "chunks_accepted": core.sequencer.accepted,
        "bad_chunks_in_a_row": core.bad_in_a_row,
    }
    for name, how in core.detectors.status(core.config).items():
        values[f"detector: {name}"] = how
    for refusal, count in core.sequencer.refusals.items():
        values[f"chunks_refused: {refusal.value}"] = count
    values.update({f"refused: {reason}": count for reason, count in counters.items()})
    level, text = DiagnosticStatus.OK, machine.state.words
    if machine.cause is not None:
        text += f": {machine.cause.text}"
    quiet = machine.cause is None or machine.cause.reason in _QUIET
    often = max(faulty, core.bad_in_a_row) >= core.config.error_count
    if machine.state is State.STOPPED or often:
        level = DiagnosticStatus.ERROR
    elif not quiet or (core.connected and core.unread_outputs):
        level = DiagnosticStatus.WARN
    return Diagnosis(level, text, values)
