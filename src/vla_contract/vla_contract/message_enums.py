"""The constants of the messages as enums: each number and its name; violations and faults in words.

A member's number is that of the constant in the .msg file, its name what follows the prefix there.
"""

from __future__ import annotations

import enum
from typing import Any


class MessageEnum(enum.IntEnum):
    """Numbers of a message's field, with their names in words."""

    @property
    def words(self) -> str:
        """The name in plain words, e.g. "emergency stop"."""
        return self.name.lower().replace("_", " ")

    @classmethod
    def words_of(cls, number: int) -> str:
        """Return the name of a number in words, or the number where it has none."""
        known: dict[int, Any] = cls._value2member_map_  # type: ignore[assignment]
        return known[number].words if number in known else str(number)


class FaultKind(MessageEnum):
    """Fault.KIND_*."""

    VISION = 0
    LANGUAGE = 1
    ACTION = 2
    COMMUNICATION = 3
    ROBOT_STATE = 4
    CLOCK = 5
    EMERGENCY_STOP = 6
    STOP_WORD = 7


class Level(MessageEnum):
    """Fault.LEVEL_*."""

    OK = 0
    WARN = 1
    ERROR = 2


class State(MessageEnum):
    """SafetyStatus.STATE_*."""

    INACTIVE = 0
    NOMINAL = 1
    DEGRADED = 2
    HOLD = 3
    STOPPED = 4


class Verdict(MessageEnum):
    """SafeAction.VERDICT_*."""

    PASS = 0
    LIMITED = 1
    HELD = 2
    STOPPED = 3


class Limit(MessageEnum):
    """Violation.LIMIT_*."""

    FINITE = 0
    RANGE = 1
    VELOCITY = 2
    ACCELERATION = 3
    JERK = 4
    AGE = 5
    WORKSPACE = 6
    NORM = 7
    SPEED_SCALE = 8
    EXHAUSTED = 9
    DECELERATION = 10
    OBSTACLE = 11
    SPEED_ZONE = 12
    SELF_COLLISION = 13
    TOOL_SPEED = 14
    PATH_SPEED = 15


class Outcome(MessageEnum):
    """ExecuteCommand.Result.OUTCOME_*."""

    SUCCEEDED = 0
    CANCELED = 1
    PREEMPTED = 2
    TIMED_OUT = 3
    STOPPED = 4
    REJECTED = 5
    FAILED = 6


def done_cause(command: str) -> str:
    """The cause that a SafetyStatus gives where the robot holds because its command is done."""
    return f'"{command}" is done'


def violation_text(violation: Any) -> str:
    """One limit that fired, e.g. "linear_x: acceleration 42 > 10"."""
    limit = Limit.words_of(violation.limit)
    named = " ".join(part for part in (violation.dimension, violation.name) if part)
    where = f"{named}: " if named else ""
    # Of a distance, or a time to collision, too little is too much.
    sign = ">" if abs(violation.value) >= abs(violation.bound) else "<"
    value, bound = told_apart(violation.value, violation.bound)
    return f"{where}{limit} {value} {sign} {bound}"


def told_apart(value: float, bound: float) -> tuple[str, str]:
    """Two numbers with three digits, or with as many as it takes to see which one is greater."""
    for digits in range(3, 18):
        texts = f"{value:.{digits}g}", f"{bound:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts if texts[0] != texts[1] else (f"{value:.3g}", f"{bound:.3g}")


def fault_text(fault: Any) -> str:
    """One fault, e.g. "perception: vision error: camera corner2 is silent"."""
    kind, level = FaultKind.words_of(fault.kind), Level.words_of(fault.level)
    return f"{fault.source}: {kind} {level}: {fault.message}"
