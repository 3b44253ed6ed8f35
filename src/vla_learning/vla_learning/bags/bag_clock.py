"""When the messages of a bag were made, by the clock of the images' stamps.

A message says it in its stamp, else it is when it was received. Both are of one clock, or what a
robot was told is laid beside what was seen at another time: such a message is of no use.
"""

from __future__ import annotations

from vla_replay.bags.blocks import Stored

NANOSECONDS = 1_000_000_000
CLOCKS = NANOSECONDS  # ns between two offsets above which clocks differ


class ClockError(ValueError):
    """A message whose time cannot be compared with that of the images; one line."""


class BagClock:
    """Follows how far the images' stamps are from when they were received."""

    def __init__(self) -> None:
        self._offset: int | None = None  # ns, stamp minus reception, of the images
        self._last: dict[str, int] = {}  # of each camera's newest image, whatever became of it

    def image(self, message: Stored, stamp: int) -> int:
        """When an image was taken, ns; stamp: of its header, 0 for none.

        Raises:
            ClockError: its stamp jumps; where those behind it agree with it they are taken.
        """
        when = stamp or message.key.time
        offset = when - message.key.time
        before = self._last.get(message.topic, offset)
        self._last[message.topic] = offset
        jumps = self._offset is not None and abs(offset - self._offset) > CLOCKS
        if jumps and abs(offset - before) > CLOCKS:
            raise ClockError("its stamp is of another clock than those before it")
        self._offset = offset
        return when

    def other(self, message: Stored, stamp: int) -> int:
        """When another message was made, ns; stamp: of its header, 0 for none.

        Raises:
            ClockError: by another clock than that of the images.
        """
        when = stamp or message.key.time
        if self._offset is None or abs(when - message.key.time - self._offset) <= CLOCKS:
            return when
        seconds = (when - message.key.time - self._offset) / NANOSECONDS
        if stamp:
            raise ClockError(
                f"its stamps are {seconds:.1f} s from those of the images; accepted: one clock"
            )
        raise ClockError(
            f"it has no stamps, and the recorder's clock differs from that of the images by "
            f"{seconds:.1f} s; accepted: actions with stamps (SafeAction, TwistStamped), or one "
            "clock"
        )

    def received(self, message: Stored) -> int:
        """When a message was received, ns, by the clock of the images."""
        offset = self._offset or 0
        return message.key.time + (offset if abs(offset) > CLOCKS else 0)
