"""Enums of the messages in words."""

from __future__ import annotations

from typing import Any

from vla_interfaces.action import ExecuteCommand
from vla_interfaces.msg import Fault, SafeAction, SafetyStatus, Violation


def constants(message: Any, prefix: str) -> dict[int, str]:
    """Value → name of a message's constants, e.g. {3: "hold"} for STATE_HOLD=3."""
    # The class itself lists what its .msg declares; dir() does not on a class with a metaclass.
    found = {name: getattr(message, name) for name in type(message).__prepare__("", ())}
    return {
        int(value): name[len(prefix) :].lower().replace("_", " ")
        for name, value in found.items()
        if name.startswith(prefix)
    }


STATES = constants(SafetyStatus, "STATE_")
VERDICTS = constants(SafeAction, "VERDICT_")
LIMITS = constants(Violation, "LIMIT_")
FAULT_KINDS = constants(Fault, "KIND_")
FAULT_LEVELS = constants(Fault, "LEVEL_")
OUTCOMES = constants(ExecuteCommand.Result, "OUTCOME_")


def name_of(table: dict[int, str], value: Any) -> str:
    """A constant's name, or its number where there is none."""
    number = value[0] if isinstance(value, bytes) else int(value)
    return table.get(number, str(number))


def violation_text(violation: Any) -> str:
    """One limit that fired, e.g. "linear_x: acceleration 42 > 10"."""
    limit = name_of(LIMITS, violation.limit)
    named = " ".join(part for part in (violation.dimension, violation.name) if part)
    where = f"{named}: " if named else ""
    # Of a distance, or a time to collision, too little is too much.
    sign = ">" if abs(violation.value) >= abs(violation.bound) else "<"
    return f"{where}{limit} {violation.value:.3g} {sign} {violation.bound:.3g}"


def fault_text(fault: Any) -> str:
    """One fault, e.g. "perception: vision error: camera corner2 is silent"."""
    kind, level = name_of(FAULT_KINDS, fault.kind), name_of(FAULT_LEVELS, fault.level)
    return f"{fault.source}: {kind} {level}: {fault.message}"
