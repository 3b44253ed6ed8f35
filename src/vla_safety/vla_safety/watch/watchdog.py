"""Silence of an input, and the order of its stamps. Free of ROS; time is passed in."""

from __future__ import annotations

import enum


class Health(enum.Enum):
    """What a watchdog says of its input."""

    OK = "ok"
    NOT_RECEIVED = "not received"
    TIMED_OUT = "timed out"


class Watchdog:
    """Notices when an input has not come for longer than its timeout.

    Times are integers of one clock, ns or ticks. A time before the last one counts as silence
    since then: it is never negative.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def feed(self, now: int) -> None:
        """The input came."""
        self._last = now

    def forget(self) -> None:
        """As if it had never come."""
        self._last = None

    def age(self, now: int) -> int | None:
        """Time since the input came; None when it never did."""
        return None if self._last is None else max(0, now - self._last)

    def check(self, now: int, timeout: int) -> Health:
        """State of the input now; silence of just `timeout` is still OK."""
        age = self.age(now)
        if age is None:
            return Health.NOT_RECEIVED
        return Health.OK if age <= timeout else Health.TIMED_OUT


class StampOrder:
    """Refuses stamps that stand still, go back, or are far from now.

    A stamp of 0 is none: it passes for an input that never had another one.
    """

    def __init__(self) -> None:
        self._last = 0

    def check(self, stamp: int, now: int, tolerance: int) -> str:
        """What is wrong with the stamp, in words; empty and noted where nothing is.

        stamp, now: of the node clock, ns. tolerance: how far apart they may be, ns.
        """
        if stamp == 0 and self._last == 0:
            return ""
        if stamp == self._last:
            return "has a stamp that stands still"
        if stamp < self._last:
            return "has a stamp that goes back"
        if now - stamp > tolerance:
            return "is too old on arrival"
        if stamp - now > tolerance:
            return "has a stamp in the future"
        self._last = stamp
        return ""
