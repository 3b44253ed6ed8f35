"""Whether this machine is too slow for what runs on it. Free of ROS.

Old stamps have two causes that call for different remedies. Of clocks that differ, a timer of this
process knows nothing: it rings in time. On a machine that is overloaded it rings late, or more
threads want to run than there are cores.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Callable

WINDOW = 5.0  # s that are looked back on
SAMPLE = 0.5  # s between two looks at what wants to run
ENOUGH = 1.0  # s without which nothing is said
MISSED_SHARE = 0.1  # of the periods
LOAD_PER_CORE = 1.5  # threads that want to run


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def others_running() -> int:
    """Threads of the machine that run or wait for a core now, without the one that asks."""
    try:
        with open("/proc/loadavg", encoding="ascii") as file:
            return int(file.read().split()[3].partition("/")[0]) - 1
    except (OSError, ValueError, IndexError):
        return round(os.getloadavg()[0])


class LoadWatch:
    """Counts the periods that a timer of this process has missed; may be asked by any thread.

    And what else wants to run meanwhile: the kernel's load average would take a minute to tell.
    """

    def __init__(
        self,
        period: float,
        running: Callable[[], int] = others_running,
        cores: Callable[[], int] = cores,
    ) -> None:
        """period: of the timer, s. running, cores: as the functions of these names."""
        self._period = period
        self._running, self._cores = running, cores
        self._samples: deque[int] = deque(maxlen=round(WINDOW / SAMPLE))
        self._sampled = -math.inf
        self._missed_before: deque[int] = deque([0], maxlen=max(2, round(WINDOW / period)))
        self._last: float | None = None
        self.periods = 0
        self.missed = 0

    def tick(self, now: float) -> None:
        """The timer rang; now: of a steady clock, s."""
        last, self._last = self._last, now
        if now - self._sampled >= SAMPLE:
            self._sampled = now
            self._samples.append(self._running())
        if last is None:
            return
        gap = now - last
        self._missed_before.append(self._missed_before[-1] + max(0, round(gap / self._period) - 1))
        self.missed = self._missed_before[-1] - self._missed_before[0]
        self.periods = len(self._missed_before) - 1 + self.missed

    def overload(self) -> str:
        """That this machine is too slow, with the figures; empty where it keeps up."""
        cores, samples = self._cores(), list(self._samples)
        load = sum(samples) / len(samples) if len(samples) * SAMPLE >= ENOUGH else 0.0
        known = self.periods * self._period >= ENOUGH
        late = known and self.missed >= MISSED_SHARE * self.periods
        if not late and load < LOAD_PER_CORE * cores:
            return ""
        return (
            f"this machine is too slow for what runs on it (load {load:.1f} on {cores} cores; "
            f"{self.missed} of {self.periods} periods of {self._period * 1e3:.0f} ms missed)"
        )
