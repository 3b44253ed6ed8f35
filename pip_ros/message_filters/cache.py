"""The last messages of a filter, to be asked for by time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rclpy.time import Time

from .simple_filter import SimpleFilter
from .stamps import stamp_of


class Cache(SimpleFilter):
    """Keeps the newest ``cache_size`` messages of a filter and passes them on."""

    def __init__(
        self, f: SimpleFilter, cache_size: int = 1, allow_headerless: bool = False
    ) -> None:
        super().__init__()
        self.cache_size = cache_size
        self.allow_headerless = allow_headerless
        self.cache_msgs: list[Any] = []
        self.cache_times: list[Time] = []
        self.connectInput(f)

    def connectInput(self, f: SimpleFilter) -> None:
        """Take messages from a filter."""
        self.incoming_connection = f.registerCallback(self.add)

    def add(self, msg: Any) -> None:
        """Keep a message, dropping the oldest one kept when there is no room, and pass it on."""
        stamp = stamp_of(msg, self.allow_headerless, "message_filters_cache")
        if stamp is None:
            return
        self.cache_msgs.append(msg)
        self.cache_times.append(stamp)
        if len(self.cache_msgs) > self.cache_size:
            self.cache_msgs.pop(0)
            self.cache_times.pop(0)
        self.signalMessage(msg)

    def _where(self, wanted: Sequence[bool]) -> list[Any]:
        return [msg for msg, take in zip(self.cache_msgs, wanted) if take]  # noqa: B905

    def getInterval(self, from_stamp: Time, to_stamp: Time) -> list[Any]:
        """Return the messages of a time interval, both ends included.

        Raises:
            AssertionError: the interval ends before it begins.
        """
        assert from_stamp <= to_stamp
        return self._where([from_stamp <= time <= to_stamp for time in self.cache_times])

    def getElemAfterTime(self, stamp: Time) -> Any | None:
        """Return the first kept message at or after a time, or None."""
        return next(iter(self._where([time >= stamp for time in self.cache_times])), None)

    def getElemBeforeTime(self, stamp: Time) -> Any | None:
        """Return the last kept message at or before a time, or None."""
        return next(reversed(self._where([time <= stamp for time in self.cache_times])), None)

    def getLastestTime(self) -> Time | None:
        """Return the time of the message that came last, or None."""
        return self.cache_times[-1] if self.cache_times else None

    def getOldestTime(self) -> Time | None:
        """Return the time of the message kept longest, or None."""
        return self.cache_times[0] if self.cache_times else None

    def getLast(self) -> Any | None:
        """Return the first message at or after the time of the one that came last, or None."""
        last = self.getLastestTime()
        return None if last is None else self.getElemAfterTime(last)
