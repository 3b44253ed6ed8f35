"""Figures of the control loop: jitter, duration, overruns. Free of ROS; times are s."""

from __future__ import annotations

from collections import deque

from vla_contract.machine_load import LoadWatch
from vla_contract.percentiles import percentile

WINDOW = 1000


class LoopTiming:
    """Over the last thousand periods."""

    def __init__(self, period: float) -> None:
        """period: nominal, s."""
        self.period = period
        self.restart()

    def restart(self) -> None:
        """As if there had been no period yet."""
        self.overruns = 0
        self._load = LoadWatch(self.period)
        self._jitter: deque[float] = deque(maxlen=WINDOW)
        self._durations: deque[float] = deque(maxlen=WINDOW)
        self._last: float | None = None

    def begin(self, now: float) -> None:
        """A period begins; now: of a steady clock."""
        if self._last is not None:
            error = now - self._last - self.period
            self._jitter.append(abs(error))
            self.overruns += max(0, int(error / self.period + 0.5))
        self._last = now
        self._load.tick(now)

    def end(self, now: float) -> None:
        """Its work is done."""
        if self._last is not None:
            self._durations.append(now - self._last)

    @property
    def overload(self) -> str:
        """Why the loop is late that has to do with this machine; empty where it is not."""
        return self._load.overload() if self._load.periods else ""

    @property
    def jitter_p99(self) -> float:
        """99th percentile of |time between two periods - nominal|; 0 before the second."""
        return percentile(self._jitter, 99) if self._jitter else 0.0

    @property
    def duration_p50(self) -> float:
        """Median of the time spent in one period; 0 before the first."""
        return percentile(self._durations, 50) if self._durations else 0.0

    @property
    def duration_p99(self) -> float:
        """99th percentile of the time spent in one period; 0 before the first."""
        return percentile(self._durations, 99) if self._durations else 0.0
