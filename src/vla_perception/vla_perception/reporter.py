"""Publishes fault levels: on change at once, and again and again."""

from __future__ import annotations

from collections.abc import Callable

from vla_interfaces.msg import Fault
from vla_perception.conversions import to_fault
from vla_perception.faults import KINDS, FaultBoard, FaultLevel, Kind, Level
from vla_perception.health import Finding

# The others are logged where they arise: cameras one by one, language as it is said.
_LOGGED = (Kind.ROBOT_STATE, Kind.CLOCK)


class FaultReporter:
    """The levels of one node. publish: sends a Fault. log: one line of an error."""

    def __init__(
        self, source: str, publish: Callable[[Fault], None], log: Callable[[str], object]
    ) -> None:
        self._source = source
        self._publish = publish
        self._log = log
        self._board = FaultBoard()
        self.errors_in_a_row = 0  # reports with an error

    def update(self, findings: dict[Kind, list[Finding]], now: int) -> None:
        """Set what is wrong now, and publish the kinds whose level changed. now: ns."""
        for kind, found in findings.items():
            if self._board.update(kind, found, now):
                self._send(kind, now)
                fault = self._board.level(kind)
                if kind in _LOGGED and fault.level == Level.ERROR:
                    self._log(fault.message)

    def repeat(self, now: int) -> None:
        """Publish every level: a lost message hides nothing, and silence is a fault."""
        error = self.worst().level == Level.ERROR
        self.errors_in_a_row = self.errors_in_a_row + 1 if error else 0
        for kind in KINDS:
            self._send(kind, now)

    def worst(self) -> FaultLevel:
        """The worst level of all kinds."""
        return self._board.worst()

    def _send(self, kind: Kind, now: int) -> None:
        self._publish(to_fault(self._source, kind, self._board.level(kind), now))
