"""The robot's clock as its messages tell it, simulated or not, without a subscription to /clock."""

from __future__ import annotations

DRIFT = 0.05  # share of a later arrival that is taken for drift, not for delay


class RobotClock:
    """Node clock = steady clock + offset; the offset is that of the least delayed messages."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def observe(self, stamp: int, steady: int) -> None:
        """A message stamped `stamp` (node clock, ns) when it was published came at `steady`, ns."""
        offset = float(stamp - steady)
        if self._offset is None or offset > self._offset:
            self._offset = offset
        else:
            self._offset += (offset - self._offset) * DRIFT

    def age(self, stamp: int, steady: int) -> float | None:
        """Time since `stamp` (node clock, ns) at `steady`, s; None where no clock is known."""
        if self._offset is None or stamp == 0:
            return None
        return max(0.0, (steady + self._offset - stamp) * 1e-9)
