"""The transforms of one frame over time, as tf2::TimeCache and tf2::StaticCache keep them."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, replace

from .exceptions import ExtrapolationException

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


@dataclass(frozen=True)
class Stored:
    """A transform child → parent. stamp: ns. rotation: x, y, z, w."""

    stamp: int
    parent: str
    translation: Vector
    rotation: Quaternion


def _stamp(stored: Stored) -> int:
    return stored.stamp


class StaticCache:
    """One transform that always holds."""

    latest = 0

    def __init__(self) -> None:
        self._stored: Stored | None = None

    def insert(self, stored: Stored) -> bool:
        """Replace it."""
        self._stored = stored
        return True

    def at(self, time: int) -> Stored | None:
        """It, at any time."""
        return self._stored and replace(self._stored, stamp=time)

    def clear(self) -> None:
        """Static transforms stay."""


class TimeCache:
    """Transforms of the last `duration` ns, interpolated in between."""

    def __init__(self, duration: int) -> None:
        self._duration = duration
        self._stored: list[Stored] = []  # the oldest first

    @property
    def latest(self) -> int:
        """Newest stamp; 0 where there is none."""
        return self._stored[-1].stamp if self._stored else 0

    def insert(self, stored: Stored) -> bool:
        """Add one; False when it is too old."""
        oldest = self.latest - self._duration
        if self._stored and stored.stamp < oldest:
            return False
        if self._stored and self._stored[0].stamp < oldest:
            del self._stored[: bisect.bisect_left(self._stored, oldest, key=_stamp)]
        first = bisect.bisect_left(self._stored, stored.stamp, key=_stamp)
        after = bisect.bisect_right(self._stored, stored.stamp, lo=first, key=_stamp)
        if stored not in self._stored[first:after]:
            self._stored.insert(after, stored)
        return True

    def at(self, time: int) -> Stored | None:
        """The transform at a time, 0 for the latest; None without any.

        Raises:
            ExtrapolationException: outside of what is stored.
        """
        if not self._stored:
            return None
        if time == 0:
            return self._stored[-1]
        self._check(time)
        index = bisect.bisect_right(self._stored, time, key=_stamp) - 1
        older = self._stored[index]
        if older.stamp == time or index + 1 == len(self._stored):
            return older
        newer = self._stored[index + 1]
        if newer.parent != older.parent:
            return older
        return _between(older, newer, time)

    def clear(self) -> None:
        """Forget all."""
        self._stored = []

    def _check(self, time: int) -> None:
        first, last = self._stored[0].stamp, self._stored[-1].stamp
        if len(self._stored) == 1 and time != first:
            raise ExtrapolationException(
                f"Lookup would require extrapolation at time {seconds(time)}, but only time "
                f"{seconds(first)} is in the buffer"
            )
        if time > last:
            raise ExtrapolationException(
                "Lookup would require extrapolation into the future.  Requested time "
                f"{seconds(time)} but the latest data is at time {seconds(last)}"
            )
        if time < first:
            raise ExtrapolationException(
                "Lookup would require extrapolation into the past.  Requested time "
                f"{seconds(time)} but the earliest data is at time {seconds(first)}"
            )


def seconds(time: int) -> str:
    """As tf2 displays it."""
    return f"{time / 1e9:.6f}"


def _between(older: Stored, newer: Stored, time: int) -> Stored:
    share = (time - older.stamp) / (newer.stamp - older.stamp)
    x, y, z = (
        a * (1.0 - share) + b * share
        for a, b in zip(older.translation, newer.translation, strict=True)
    )
    rotation = slerp(older.rotation, newer.rotation, share)
    return Stored(time, older.parent, (x, y, z), rotation)


def slerp(a: Quaternion, b: Quaternion, share: float) -> Quaternion:
    """From a to b on the shorter way, at a constant rate."""
    dot = sum(p * q for p, q in zip(a, b, strict=True))
    norm = math.sqrt(sum(p * p for p in a) * sum(q * q for q in b))
    angle = math.acos(min(1.0, abs(dot) / norm))
    if angle == 0.0:
        return a
    first = math.sin((1.0 - share) * angle) / math.sin(angle)
    second = math.copysign(math.sin(share * angle) / math.sin(angle), dot)
    x, y, z, w = (p * first + q * second for p, q in zip(a, b, strict=True))
    return (x, y, z, w)
