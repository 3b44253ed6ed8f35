"""Whether this machine is too slow for what runs on it. Free of ROS.

Old stamps have two causes that call for different remedies. Of clocks that differ, a timer of this
process knows nothing: it rings in time. On a machine that is overloaded it rings late, or more
processes want to run than there are cores.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

WINDOW = 5.0  # s that are looked back on
ENOUGH = 0.5  # s without which nothing is said of the timer
MISSED_SHARE = 0.1  # of the periods
LOAD_PER_CORE = 1.5  # processes that want to run


def machine_load() -> tuple[float, int]:
    """Processes that wanted to run in the last minute, and the cores that they may use."""
    return os.getloadavg()[0], len(os.sched_getaffinity(0))


class LoadWatch:
    """Counts the periods that a timer of this process has missed; may be asked by any thread."""

    def __init__(self, period: float, load: Callable[[], tuple[float, int]] = machine_load) -> None:
        """period: of the timer, s. load: as `machine_load`."""
        self._period = period
        self._load = load
        self._missed_before: deque[int] = deque([0], maxlen=max(2, round(WINDOW / period)))
        self._last: float | None = None
        self.periods = 0
        self.missed = 0

    def tick(self, now: float) -> None:
        """The timer rang; now: of a steady clock, s."""
        last, self._last = self._last, now
        if last is None:
            return
        gap = now - last
        self._missed_before.append(self._missed_before[-1] + max(0, round(gap / self._period) - 1))
        self.missed = self._missed_before[-1] - self._missed_before[0]
        self.periods = len(self._missed_before) - 1 + self.missed

    def overload(self) -> str:
        """That this machine is too slow, with the figures; empty where it keeps up."""
        load, cores = self._load()
        known = self.periods * self._period >= ENOUGH
        late = known and self.missed >= MISSED_SHARE * self.periods
        if not late and load < LOAD_PER_CORE * cores:
            return ""
        return (
            f"this machine is too slow for what runs on it (load {load:.1f} on {cores} cores; "
            f"{self.missed} of {self.periods} periods of {self._period * 1e3:.0f} ms missed)"
        )
