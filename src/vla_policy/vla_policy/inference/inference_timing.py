"""Times of the last inferences."""

from __future__ import annotations

from collections import deque

from vla_contract.percentiles import percentile


class Times:
    """The last `size` durations, given in s and told in ms."""

    def __init__(self, size: int = 1000) -> None:
        self._times: deque[float] = deque(maxlen=size)

    def add(self, seconds: float) -> None:
        """Note one duration."""
        self._times.append(seconds)

    def percentile(self, percent: float) -> float:
        """Percentile of the durations held, ms; NaN where there are none."""
        return percentile(self._times, percent) * 1e3

    def __str__(self) -> str:
        return f"p50 {self.percentile(50):.2f} p99 {self.percentile(99):.2f}"
