"""Violations and faults in words."""

from __future__ import annotations

from typing import Any

from vla_contract.message_enums import FaultKind, Level, Limit


def violation_text(violation: Any) -> str:
    """One limit that fired, e.g. "linear_x: acceleration 42 > 10"."""
    limit = Limit.words_of(violation.limit)
    named = " ".join(part for part in (violation.dimension, violation.name) if part)
    where = f"{named}: " if named else ""
    # Of a distance, or a time to collision, too little is too much.
    sign = ">" if abs(violation.value) >= abs(violation.bound) else "<"
    return f"{where}{limit} {violation.value:.3g} {sign} {violation.bound:.3g}"


def fault_text(fault: Any) -> str:
    """One fault, e.g. "perception: vision error: camera corner2 is silent"."""
    kind, level = FaultKind.words_of(fault.kind), Level.words_of(fault.level)
    return f"{fault.source}: {kind} {level}: {fault.message}"
