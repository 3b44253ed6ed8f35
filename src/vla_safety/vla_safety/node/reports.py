"""What the safety node tells others: status, fault levels, diagnostics."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, NamedTuple

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from vla_contract.node.diagnosis import Diagnosis
from vla_contract.stamps import to_time
from vla_interfaces.msg import Fault, SafetyStatus
from vla_safety.core import SafetyCore
from vla_safety.decision import Decision, Situation
from vla_safety.loop.loop_timing import LoopTiming
from vla_safety.node.safety_conversions import fault_to_message, violations_to_messages
from vla_safety.watch.fault_levels import FaultReport, Level
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity, State

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
# What a machine that is too slow brings about, as other things do.
_LATE = (
    Reason.CLOCK,
    Reason.CHUNK_AGE,
    Reason.CHUNK_EXHAUSTED,
    Reason.HEARTBEAT,
    Reason.INPUT,
)
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
    Reason.HOME,
    Reason.OBSTACLE,
)


class FaultLevels:
    """Safety's own fault levels, with the time since when each holds."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._reports: dict[FaultKind, FaultReport] = {}

    def messages(self, situation: Situation, now: int) -> list[Fault]:
        """One message per kind, from the present causes; now: ns of the node clock."""
        levels: dict[FaultKind, tuple[Level, str]] = dict.fromkeys(_KINDS.values(), (Level.OK, ""))
        for cause in situation.causes:
            kind = _KINDS.get(cause.reason)
            level = _level(cause, situation)
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


def _level(cause: Cause, situation: Situation) -> Level:
    if cause.reason is Reason.BAD_CHUNK:
        return Level.ERROR if situation.often_bad else Level.WARN
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
    home: int

    def differs_in_words(self, other: StatusKey) -> bool:
        """Only the cause's words differ, such as an age or a distance in them."""
        return self._replace(cause=other.cause) == other


def status_key(decision: Decision) -> StatusKey:
    """The present one."""
    now = decision.situation
    return StatusKey(
        now.state,
        now.cause.text if now.cause else "",
        decision.standstill,
        now.armed,
        now.shadow,
        now.speed_scale,
        now.command_id,
        decision.emergency,
        decision.input,
        now.recovery_left > 0.0,
        now.stop_word_heard,
        now.home,
    )


def status_message(decision: Decision, stamp: Time, overload: str = "") -> SafetyStatus:
    """The whole status, but for what the node alone knows: its recording and its loop's figures.

    `faults` are those of other nodes. overload: why something may not have come in time.
    """
    now = decision.situation
    age = decision.observation_age
    message = SafetyStatus(
        state=int(now.state),
        cause=now.cause.text if now.cause else "",
        clears_when=now.cause.clears_when if now.cause else "",
        since=to_time(now.since),
        standstill=decision.standstill,
        armed=now.armed,
        shadow=now.shadow,
        speed_scale=now.speed_scale,
        home_state=now.home,
        home_message=now.home_message,
        path_speed=decision.path_speed,
        slowed_by=decision.slowed_by,
        command_id=now.command_id,
        command=now.command,
        stop_word_stamp=to_time(now.stop_word_heard),
        observation_age=math.nan if age is None else age,
        violations=violations_to_messages(decision.violations),
        warnings=violations_to_messages(decision.warnings),
        input=decision.input,
        causes=[*_texts(now), *([overload] if overload else [])],
        recovery_left=now.recovery_left,
        faults=[fault_to_message(report, stamp) for report in now.faults],
    )
    message.header.stamp = stamp
    return message


def _texts(situation: Situation) -> list[str]:
    """Every present cause in plain words, the one that decides first."""
    first = [situation.cause] if situation.cause else []
    rest = sorted(situation.causes, key=lambda cause: -cause.severity)
    return list(dict.fromkeys(cause.text for cause in (*first, *rest)))


def is_late(situation: Situation) -> bool:
    """Something has not come in time."""
    return any(cause.reason in _LATE for cause in situation.causes)


def is_faulty(situation: Situation) -> bool:
    """A fault holds the robot now."""
    return any(
        cause.severity is not Severity.DEGRADE and cause.reason not in _QUIET
        for cause in situation.causes
    )


def diagnosis(
    core: SafetyCore, timing: LoopTiming, counters: Counter[str], faulty: int = 0
) -> Diagnosis:
    """State, cause, loop figures and every refused input by its reason.

    faulty: diagnoses in a row, this one included, in which a fault held the robot.
    """
    now = core.situation()
    values: dict[str, Any] = {
        "state": now.state.name,
        "cause": now.cause.text if now.cause else "",
        "clears_when": now.cause.clears_when if now.cause else "",
        "outputs_connected": core.connection.connected,
        "unread": core.connection.unread,
        "speed_scale": now.speed_scale,
        "path_speed": round(core.path.speed.value, 3),
        "slowed_by": core.path.speed.factor.name,
        "jitter_p99_ms": round(timing.jitter_p99 * 1e3, 3),
        "duration_p50_ms": round(timing.duration_p50 * 1e3, 3),
        "duration_p99_ms": round(timing.duration_p99 * 1e3, 3),
        "overruns": timing.overruns,
        "chunks_accepted": core.plan.sequencer.accepted,
        "bad_chunks_in_a_row": now.bad_chunks,
    }
    for name, how in core.watch.detectors.status(core.config).items():
        values[f"detector: {name}"] = how
    for refusal, count in core.plan.sequencer.refusals.items():
        values[f"chunks_refused: {refusal.value}"] = count
    values.update({f"refused: {reason}": count for reason, count in counters.items()})
    level, text = DiagnosticStatus.OK, now.state.words
    if now.cause is not None:
        text += f": {now.cause.text}"
    quiet = now.cause is None or now.cause.reason in _QUIET
    often = now.often_bad or faulty >= core.config.error_count
    if now.state is State.STOPPED or often:
        level = DiagnosticStatus.ERROR
    elif not quiet or (core.connection.connected and core.connection.unread):
        level = DiagnosticStatus.WARN
    values["overload"] = timing.overload
    if timing.overload:
        level, text = max(level, DiagnosticStatus.WARN), f"{text}; {timing.overload}"
    return Diagnosis(level, text, values)
