"""Path time: how far along its plan a robot is that may be slower than planned. Free of ROS.

tau(t) is the integral of the path speed s over the node clock t. It is kept as the lag t - tau,
whole ns, so that tau is t itself, to the last bit, as long as nothing slows the robot down.
"""

from __future__ import annotations

import bisect
from collections import deque

# Periods with a lag that grew; a chunk is never acted on for so long.
_REMEMBERED = 4096


class PathClock:
    """Times are ns of the node clock. tau never goes back while the clock does not."""

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=_REMEMBERED)
        self._lags: deque[int] = deque(maxlen=_REMEMBERED)
        self.forget()

    def forget(self) -> None:
        """The clock jumped: nothing is known of before."""
        self._times.clear()
        self._lags.clear()
        self._now: int | None = None
        self.lag = 0

    def advance(self, now: int, speed: float) -> None:
        """It is now this late, and since the last call the path speed was so much, 0 to 1."""
        before, self._now = self._now, now
        if before is None or now <= before or speed >= 1.0:
            return
        if not self._times or self._times[-1] != before:
            self._remember(before)
        self.lag += min(now - before, round((1.0 - max(0.0, speed)) * (now - before)))
        self._remember(now)

    def _remember(self, time: int) -> None:
        self._times.append(time)
        self._lags.append(self.lag)

    def at(self, time: int) -> int:
        """Path time of a time, ns; of one in the future as if nothing slowed the robot down."""
        if not self._times or time >= self._times[-1]:
            return time - self.lag
        after = bisect.bisect_right(self._times, time)
        if after == 0:
            return time - self._lags[0]
        begin, end = self._times[after - 1], self._times[after]
        low, high = self._lags[after - 1], self._lags[after]
        return time - low - (high - low) * (time - begin) // (end - begin)
