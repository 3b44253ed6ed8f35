"""The safety state machine. Free of ROS; time is passed in.

INACTIVE → NOMINAL ↔ DEGRADED ↔ HOLD → STOPPED. Each period the machine is told the causes that
are present; the gravest decides. STOPPED is latched: it is left only by `reset`, and only when no
cause for it is left.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from vla_contract.message_enums import FaultKind, State

# The robot moves as it is told.
ACTING = (State.NOMINAL, State.DEGRADED)


class Severity(enum.IntEnum):
    """What a cause does to the state."""

    DEGRADE = 1
    HOLD = 2
    STOP = 3


class Reason(enum.Enum):
    """What kind of thing a cause is."""

    START = "start"
    SHUTDOWN = "shutdown"
    STOP_SERVICE = "stop service"
    STOP_WORD = "stop word"
    EMERGENCY_STOP = "emergency stop"
    ESCALATED = "escalated"
    CLOCK = "clock"
    PUBLISHERS = "publishers"
    CONFIGURATION = "configuration"
    INPUT = "input"
    OBSTACLE = "obstacle"
    CONTACT = "contact"
    HEARTBEAT = "heartbeat"
    FAULT = "fault"
    TRACKING = "tracking"
    PROGRESS = "progress"
    LIMITED = "limited"
    RECOVERY = "recovery"
    OUTPUTS = "outputs"
    UNREAD = "unread"
    EPISODE = "episode"
    COMMAND = "command"
    TELEOPERATION = "teleoperation"
    HOME = "home"
    CHUNK_AGE = "chunk age"
    CHUNK_EXHAUSTED = "chunk exhausted"
    NO_CHUNK = "no chunk"
    DONE = "done"
    BAD_CHUNK = "bad chunk"


@dataclass(frozen=True)
class Cause:
    """Why the robot may not move freely.

    text, clears_when: plain words. emergency: brake with the emergency limits.
    kind: the fault that it is, where it is one: it has a recovery time. escalates: such a fault
    counts for escalation.
    """

    reason: Reason
    severity: Severity
    text: str
    clears_when: str
    emergency: bool = False
    kind: FaultKind | None = None
    escalates: bool = True


@dataclass(frozen=True)
class ResetResult:
    """Outcome of a reset: done, or refused with the cause that lasts."""

    done: bool
    message: str


class StateMachine:
    """Present state, its cause and since when it holds (ns)."""

    def __init__(self, latched: Cause | None = None) -> None:
        """latched: a stop from before a restart."""
        self.state = State.INACTIVE
        self.cause: Cause | None = None
        self.since = 0
        self.latched = latched
        self.causes: tuple[Cause, ...] = ()

    def activate(self, now: int) -> None:
        """Leave INACTIVE: for STOPPED where a stop is latched, else for HOLD."""
        self._enter(State.STOPPED if self.latched else State.HOLD, self.latched, now)

    def deactivate(self, now: int) -> None:
        """Go back to INACTIVE; a latched stop stays."""
        self.causes = ()
        self._enter(State.INACTIVE, None, now)

    def update(self, causes: Sequence[Cause], now: int) -> State:
        """Take the causes of this period, in the order of their importance."""
        self.causes = tuple(causes)
        if self.state is State.INACTIVE:
            return self.state
        worst = max(causes, key=lambda cause: cause.severity, default=None)
        if self.latched is None and worst is not None and worst.severity is Severity.STOP:
            self.latched = worst
        if self.latched is not None:
            self._enter(State.STOPPED, self.latched, now)
        elif worst is None:
            self._enter(State.NOMINAL, None, now)
        elif worst.severity is Severity.HOLD:
            self._enter(State.HOLD, worst, now)
        else:
            self._enter(State.DEGRADED, worst, now)
        return self.state

    def latch(self, cause: Cause, now: int) -> None:
        """Stop at once and stay stopped; the first cause is kept."""
        self.latched = self.latched or cause
        if self.state is not State.INACTIVE:
            self._enter(State.STOPPED, self.latched, now)

    def reset(self, lasting: Sequence[Cause], now: int) -> ResetResult:
        """Leave STOPPED for HOLD.

        lasting: causes that are present now. One that stops, or a fault of the kind that the
        stop was for, refuses it.
        """
        if self.latched is None:
            return ResetResult(True, "nothing to reset: not stopped")
        still = [cause for cause in lasting if self._keeps_stopped(cause)]
        if still:
            return ResetResult(False, f"refused: {still[0].text}; {still[0].clears_when} first")
        text, self.latched = self.latched.text, None
        if self.state is not State.INACTIVE:
            self._enter(State.HOLD, None, now)
        return ResetResult(True, f"reset; it was stopped because: {text}")

    def _keeps_stopped(self, cause: Cause) -> bool:
        if cause.severity is Severity.STOP:
            return cause.reason is not Reason.ESCALATED
        latched = self.latched.kind if self.latched else None
        return cause.severity is Severity.HOLD and latched is not None and cause.kind is latched

    def _enter(self, state: State, cause: Cause | None, now: int) -> None:
        if state is not self.state:
            self.since = now
        self.state, self.cause = state, cause
