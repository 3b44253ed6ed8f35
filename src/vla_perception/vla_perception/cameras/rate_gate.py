"""A bound on how many messages of a stream are looked at."""

from __future__ import annotations


class RateGate:
    """Lets at most `rate` messages a second pass, in the long run; `burst` at once.

    After a pause of the executor the messages that waited may come together: hence the burst.
    """

    def __init__(self, rate: float, burst: int) -> None:
        """rate: Hz; 0: everything passes."""
        self._rate = rate
        self._burst = float(burst)
        self._tokens = self._burst
        self._last = 0.0

    def passes(self, now: float) -> bool:
        """A message came; now: s, on a clock that does not go back."""
        if not self._rate:
            return True
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
        self._last = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
