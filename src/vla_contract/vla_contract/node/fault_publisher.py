"""The faults of a node: what is wrong of each kind, published as levels and never as edges."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vla_contract.message_enums import FaultKind, Level
from vla_contract.stamps import NANOSECONDS, to_time
from vla_interfaces.msg import Fault

LOG_PERIOD = 1 * NANOSECONDS  # between two lines of one kind that stays at its level
STARTUP = 10.0  # s; what was not right once is logged after that: the other nodes are starting too


Finding = tuple[Level, str]  # one thing that is wrong, with its cause in one line


@dataclass(frozen=True)
class FaultLevel:
    """level, why, and since when (ns, node clock)."""

    level: Level = Level.OK
    message: str = ""
    since: int = 0


class FaultPublisher:
    """The levels of one node: the worst finding of a kind counts, all are named. For threads.

    source: the node's name. kinds: those that it owns. publish: sends a Fault. logger: of the node.
    logged: the kinds whose changes are logged; None: all. follow_text: publish and log a kind also
    where its level stays and what is wrong is another thing. startup: s for which a kind that has
    not been right yet is published, and not logged.
    """

    def __init__(
        self,
        source: str,
        kinds: Iterable[FaultKind],
        publish: Callable[[Fault], None],
        logger: Any,
        *,
        logged: Sequence[FaultKind] | None = None,
        follow_text: bool = False,
        startup: float = STARTUP,
    ) -> None:
        self._source = source
        self._publish = publish
        self._logger = logger
        self._logged = logged
        self._follow_text = follow_text
        self._lock = threading.Lock()
        self._levels = {kind: FaultLevel() for kind in kinds}
        self._log_times = dict.fromkeys(self._levels, 0)  # ns
        self.errors_in_a_row = 0  # heartbeats with an error
        self._startup_ends = time.monotonic() + startup
        self._not_right_yet = set(self._levels)

    def update(self, findings: Mapping[FaultKind, Sequence[Finding]], now: int) -> None:
        """Set what is wrong now, and publish the kinds that changed. now: ns."""
        with self._lock:
            self._end_startup(now)
            for kind, found in findings.items():
                before, after = self._levels[kind], self._level(kind, found, now)
                self._levels[kind] = after
                changed = after.level != before.level
                if changed or (self._follow_text and after.message != before.message):
                    self._log(kind, before.level, after, now)
                    self._send(kind, now)
                if after.level == Level.OK:
                    self._not_right_yet.discard(kind)

    def repeat(self, now: int) -> None:
        """Publish every level: a lost message hides nothing, and silence is a fault. now: ns."""
        error = self.worst().level == Level.ERROR
        self.errors_in_a_row = self.errors_in_a_row + 1 if error else 0
        with self._lock:
            for kind in self._levels:
                self._send(kind, now)

    def level(self, kind: FaultKind) -> FaultLevel:
        """Present level of a kind."""
        return self._levels[kind]

    def worst(self) -> FaultLevel:
        """The worst level of all kinds."""
        return max(self._levels.values(), key=lambda fault: fault.level)

    def _end_startup(self, now: int) -> None:
        if self._not_right_yet and time.monotonic() >= self._startup_ends:
            kinds, self._not_right_yet = self._not_right_yet, set()
            for kind in sorted(kinds):
                if self._levels[kind].level != Level.OK:
                    self._log(kind, Level.OK, self._levels[kind], now)

    def _level(self, kind: FaultKind, found: Sequence[Finding], now: int) -> FaultLevel:
        before = self._levels[kind]
        level = max((level for level, _ in found), default=Level.OK)
        ordered = sorted(found, key=lambda finding: -finding[0])
        message = "; ".join(text for level, text in ordered if level > Level.OK)
        since = before.since if before.since and level == before.level else now
        return FaultLevel(level, message, since)

    def _send(self, kind: FaultKind, now: int) -> None:
        fault = self._levels[kind]
        message = Fault(
            source=self._source,
            kind=int(kind),
            level=int(fault.level),
            message=fault.message,
            since=to_time(fault.since),
        )
        message.header.stamp = to_time(now)
        self._publish(message)

    def _log(self, kind: FaultKind, before: Level, after: FaultLevel, now: int) -> None:
        if kind in self._not_right_yet or (self._logged is not None and kind not in self._logged):
            return
        if before == after.level and 0 <= now - self._log_times[kind] < LOG_PERIOD:
            return
        self._log_times[kind] = now
        line = f"{kind.name.lower()} fault: {after.message}"
        if after.level == Level.ERROR:
            self._logger.error(line)
        elif after.level == Level.WARN:
            self._logger.warning(line)
        else:
            self._logger.info(f"{kind.name.lower()} fault is over")
