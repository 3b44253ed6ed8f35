"""When the next step is due: by the wall clock, or by the answer to the last tick."""

from __future__ import annotations

from dataclasses import dataclass

MAX_CATCH_UP = 4  # steps at once, after which time is given up rather than made good


class Pacer:
    """Steps due at a real-time factor; lost time beyond a few steps is not made good."""

    def __init__(self, step_period: float, real_time_factor: float, now: float) -> None:
        """Start at `now`, s of a monotonic clock."""
        self.period = step_period / real_time_factor
        self._next = now + self.period
        self.skipped = 0.0  # s of wall time given up

    def due(self, now: float) -> int:
        """Count of steps to simulate now; each call hands them out once."""
        if now < self._next:
            return 0
        steps = int((now - self._next) / self.period) + 1
        self._next += steps * self.period
        if steps > MAX_CATCH_UP:
            self.skipped += (steps - MAX_CATCH_UP) * self.period
        return min(steps, MAX_CATCH_UP)


@dataclass
class Run:
    """What is left of a run in lock-step."""

    steps: int = 0
    stop_at_success: bool = False

    def step_done(self, success: bool) -> None:
        """Count a step, and end the run where it was to end."""
        self.steps = max(0, self.steps - 1)
        if success and self.stop_at_success:
            self.steps = 0
