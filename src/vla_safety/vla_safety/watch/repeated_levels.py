"""A level that arrives by several subscriptions counts once. Free of ROS."""

from __future__ import annotations

from collections.abc import Callable

# The copies of one message come within this time, ns; a driver repeats a level less often.
_COPIES = 10_000_000
_LEVEL = slice(0, 5)  # encapsulation and level; what follows is padding, and may be anything


class CopyFilter:
    """Hands on the messages of a std_msgs/Bool topic, as bytes, without the copies of each.

    clock: ns, never jumps.
    """

    def __init__(self, callback: Callable[[bytes], None], clock: Callable[[], int]) -> None:
        self._callback = callback
        self._clock = clock
        self._last: tuple[bytes, int] | None = None

    def accept(self, data: bytes) -> None:
        """Hand it on, unless the same level has just come."""
        now = self._clock()
        if (
            self._last is not None
            and self._last[0] == data[_LEVEL]
            and now < self._last[1] + _COPIES
        ):
            return
        self._last = (data[_LEVEL], now)
        self._callback(data)
