"""Fault levels of other nodes, which are their heartbeats too, and what follows. Free of ROS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vla_contract.message_enums import FaultKind, Level
from vla_contract.stamps import NANOSECONDS
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.watch.safety_states import Cause, Reason, Severity
from vla_safety.watch.watchdog import Health, Watchdog

_MAX_FAULTS = 64
# The robot is blind or deaf: it brakes as hard as it may. The others only end the motion.
_BLIND = (FaultKind.VISION, FaultKind.COMMUNICATION, FaultKind.ROBOT_STATE, FaultKind.CLOCK)


@dataclass(frozen=True)
class FaultReport:
    """Level of one kind as one source sees it. since: ns."""

    source: str
    kind: FaultKind
    level: Level
    message: str
    since: int = 0


class Faults:
    """Present level of every kind of every source, and their heartbeats."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, FaultKind], tuple[FaultReport, int]] = {}
        self._heartbeats: dict[str, Watchdog] = {}

    def report_fault(self, report: FaultReport, steady: int) -> None:
        """A level came; sources beyond the first ones that fit are not listened to."""
        key = (report.source, report.kind)
        if key in self._reports or len(self._reports) < _MAX_FAULTS:
            self._reports[key] = (report, steady)
            self._heartbeats.setdefault(report.source, Watchdog()).feed(steady)

    def present(self) -> tuple[FaultReport, ...]:
        """Reports above OK."""
        return tuple(r for r, _ in self._reports.values() if r.level is not Level.OK)

    def heartbeats(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """Sources that must be heard and are not."""
        timeout = config.heartbeat_timeout
        for source in config.heartbeat_sources:
            watchdog = self._heartbeats.setdefault(source, Watchdog())
            if watchdog.check(steady, round(timeout * NANOSECONDS)) is Health.OK:
                continue
            age = watchdog.age(steady)
            silent = "was never heard" if age is None else f"is silent for over {timeout:g} s"
            yield Cause(
                Reason.HEARTBEAT,
                Severity.HOLD,
                f"{source} {silent}",
                f"{source} is heard",
                True,
                FaultKind.COMMUNICATION,
            )

    def levels(
        self, config: SafetyConfig, steady: int, plan_alive: bool = False
    ) -> Iterator[Cause]:
        """Faults above OK. One that a source no longer repeats counts for a while, then not.

        plan_alive: the rest of the last good chunk is there to go on with while the policy, which
        reports a fault of action, plans anew.
        """
        limit = round(max(5.0, config.heartbeat_timeout) * NANOSECONDS)
        for report, seen in list(self._reports.values()):
            if report.level is Level.OK or steady - seen > limit:
                continue
            hard = report.level is Level.ERROR
            if report.kind is FaultKind.ACTION and plan_alive:
                hard = False
            yield Cause(
                Reason.FAULT,
                Severity.HOLD if hard else Severity.DEGRADE,
                f"{report.source}: {report.message or report.kind.words + ' fault'}",
                f"{report.source} reports that it is over",
                hard and report.kind in _BLIND,
                report.kind,
            )
