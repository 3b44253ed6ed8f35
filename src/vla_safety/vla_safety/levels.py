"""A level that arrives by several subscriptions counts once. Free of ROS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# The copies of one message come within this time, ns; a driver repeats a level less often.
_COPIES = 10_000_000


class Once:
    """Hands on the messages of a std_msgs/Bool topic without the copies of each.

    clock: ns, never jumps.
    """

    def __init__(self, callback: Callable[[Any], None], clock: Callable[[], int]) -> None:
        self._callback = callback
        self._clock = clock
        self._last: tuple[bool, int] | None = None

    def take(self, message: Any) -> None:
        """Hand it on, unless the same level has just come."""
        now = self._clock()
        if (
            self._last is not None
            and self._last[0] == message.data
            and now < self._last[1] + _COPIES
        ):
            return
        self._last = (message.data, now)
        self._callback(message)
