"""The last good images for a bounded time, where no new ones come.

What is repeated keeps its age: a plan made from it ends when the one made from it before would
have ended, so that the safety node's limit on the age of what is acted on stays what bounds it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from vla_contract.stamps import NANOSECONDS

Set = TypeVar("Set")

_USUAL_INTERVALS = 3.0
_SHORTEST_GAP = 0.15  # s
_REPEAT_PERIOD = 0.05  # s
_FORGETTING = 0.1  # weight of the newest interval


@dataclass
class _Last(Generic[Set]):
    images: Set
    at: float  # s
    stamp: int  # ns
    repeats: int = 0
    repeated_at: float = -math.inf  # s


class ImageHold(Generic[Set]):
    """Says when to repeat the last set. longest: s, the age up to which it may stand in; 0: never.

    Times: s on a steady clock, stamps and `now`: ns on the node's clock.
    """

    def __init__(self, longest: float) -> None:
        self._longest = round(longest * NANOSECONDS)
        self._interval = 0.0  # s, usual time between two sets
        self._last: _Last[Set] | None = None

    def new(self, images: Set, stamp: int, at: float) -> None:
        """A set came."""
        if self._last is not None and not self._last.repeats:
            gap = at - self._last.at
            self._interval += _FORGETTING * (gap - self._interval) if self._interval else gap
        self._last = _Last(images, at, stamp)

    def overdue(self, at: float) -> bool:
        """No set came for three of the usual intervals, or more."""
        gap = max(_SHORTEST_GAP, _USUAL_INTERVALS * self._interval)
        return self._last is not None and at - self._last.at >= gap

    def holds(self, now: int) -> bool:
        """The last set is young enough to stand in."""
        return self._last is not None and 0 <= now - self._last.stamp < self._longest

    def repeat(self, at: float, now: int) -> tuple[Set, int] | None:
        """The last set, and the stamp of its repetition; None where none is due.

        The stamp rises by a nanosecond: a plan refuses a second chunk of the same stamp.
        """
        last = self._last
        if last is None or not self.overdue(at) or not self.holds(now):
            return None
        if at - last.repeated_at < _REPEAT_PERIOD:
            return None
        last.repeats, last.repeated_at = last.repeats + 1, at
        return last.images, last.stamp + last.repeats

    def forget(self) -> None:
        """The clock jumped, or all begins anew."""
        self._last = None
