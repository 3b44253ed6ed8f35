"""The present level of each kind of fault, published as levels and never as edges."""

from __future__ import annotations

from dataclasses import dataclass

from vla_contract.message_enums import FaultKind as Kind
from vla_contract.message_enums import Level

# The kinds that perception reports.
KINDS = (Kind.VISION, Kind.LANGUAGE, Kind.ROBOT_STATE, Kind.CLOCK, Kind.STOP_WORD)


@dataclass(frozen=True)
class FaultLevel:
    """level, why, and since when (ns, node clock)."""

    level: Level = Level.OK
    message: str = ""
    since: int = 0


class FaultBoard:
    """Collects what is wrong of each kind; the worst one counts, all are named."""

    def __init__(self) -> None:
        self._levels = {kind: FaultLevel() for kind in KINDS}

    def update(self, kind: Kind, findings: list[tuple[Level, str]], now: int) -> bool:
        """Set what is wrong now; True where the level changed."""
        worst = max((level for level, _ in findings), default=Level.OK)
        ordered = sorted(findings, key=lambda finding: -finding[0])
        message = "; ".join(text for level, text in ordered if level > Level.OK)
        before = self._levels[kind]
        changed = worst != before.level
        since = now if changed or not before.since else before.since
        self._levels[kind] = FaultLevel(worst, message, since)
        return changed

    def level(self, kind: Kind) -> FaultLevel:
        """Present level of a kind."""
        return self._levels[kind]

    def worst(self) -> FaultLevel:
        """The worst of all kinds."""
        return max(self._levels.values(), key=lambda fault: fault.level)
