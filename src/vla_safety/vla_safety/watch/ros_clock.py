"""A node clock that stands still or jumps, and a loop that stood still. Free of ROS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vla_contract.stamps import NANOSECONDS
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity


@dataclass(frozen=True)
class ClockEvent:
    """What a period's times show. jump: in words, empty without one. gap: of the loop, s, or 0."""

    jump: str = ""
    gap: float = 0.0


class RosClock:
    """Notices a node clock that stands still or jumps, and a loop that stood still."""

    def __init__(self, loop_timeout: float) -> None:
        """loop_timeout: s between two periods beyond which the loop has stood still."""
        self._loop_timeout = round(loop_timeout * NANOSECONDS)
        self._last: int | None = None
        self._steady = 0
        self._moved = 0

    def restart(self) -> None:
        """Compare with nothing before."""
        self._last = None

    def observe(self, now: int, steady: int, config: SafetyConfig) -> ClockEvent:
        """What the times of this period show."""
        before, self._last = self._last, now
        gap, self._steady = steady - self._steady, steady
        if before is None or now != before:
            self._moved = steady
        if before is None:
            return ClockEvent()
        # A clock that starts to run, as from /clock, begins at whatever time it is there.
        jump = (now - before) - gap if before > 0 else 0
        limit = round(config.clock_jump * NANOSECONDS)
        back = now < before
        return ClockEvent(
            "the ROS clock jumped back"
            if back
            else f"the ROS clock jumped forward by {jump / NANOSECONDS:.1f} s"
            if jump > limit
            else "",
            gap / NANOSECONDS if gap > self._loop_timeout else 0.0,
        )

    def causes(self, config: SafetyConfig, now: int, steady: int) -> Iterator[Cause]:
        """A clock at 0 (use_sim_time without /clock) or without motion."""
        timeout = config.clock_timeout
        if now <= 0:
            text = "the ROS clock is at 0"
        elif steady - self._moved > round(timeout * NANOSECONDS):
            text = f"the ROS clock stands still for over {timeout:g} s"
        else:
            return
        yield Cause(Reason.CLOCK, Severity.HOLD, text, "the ROS clock moves", True, FaultKind.CLOCK)
