"""The robot's state over time, to find the one nearest to an image."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from vla_contract.stamps import NANOSECONDS

Message = TypeVar("Message")


class StateBuffer(Generic[Message]):
    """The messages of the last `span` ns, by stamp; the oldest goes first.

    States do not go through the synchroniser: there one buffer length holds for all inputs (ten
    messages of a 500 Hz source are 20 ms, less than a camera's delay), and each state would serve
    one set only, so that a 10 Hz source would throttle a 30 Hz camera.
    """

    def __init__(self, span: int) -> None:
        self._span = span
        self._stamps: list[int] = []
        self._messages: list[Message] = []

    def __len__(self) -> int:
        return len(self._stamps)

    def add(self, stamp: int, message: Message) -> None:
        """Append; stamps rise (`StampGate` sees to it), one that falls starts anew.

        A second message of one stamp takes the place of the first.
        """
        if self._stamps and stamp <= self._stamps[-1]:
            kept = len(self._stamps) - 1 if stamp == self._stamps[-1] else 0
            del self._stamps[kept:], self._messages[kept:]
        self._stamps.append(stamp)
        self._messages.append(message)
        old = bisect_left(self._stamps, stamp - self._span)
        if old > 64:  # in blocks: shifting a list for every message costs more
            del self._stamps[:old]
            del self._messages[:old]

    def nearest(self, stamp: int, slop: int) -> Message | None:
        """The message nearest to `stamp`, not further than `slop` ns from it; else None."""
        index = self._nearest_index(stamp)
        if index is None or abs(self._stamps[index] - stamp) > slop:
            return None
        return self._messages[index]

    def offset(self, stamp: int) -> int | None:
        """How much later than `stamp` the nearest message is, ns; None where there is none."""
        index = self._nearest_index(stamp)
        return None if index is None else self._stamps[index] - stamp

    def newest(self) -> Message | None:
        """The last message; None where there is none."""
        return self._messages[-1] if self._messages else None

    def clear(self) -> None:
        """Forget everything."""
        self._stamps.clear()
        self._messages.clear()

    def _nearest_index(self, stamp: int) -> int | None:
        if not self._stamps:
            return None
        right = bisect_left(self._stamps, stamp)
        around = [i for i in (right - 1, right) if 0 <= i < len(self._stamps)]
        return min(around, key=lambda i: abs(self._stamps[i] - stamp))


class StateHistory:
    """What each of several sources told lately; an image asks for what is nearest to it.

    slop: ns, from an image to the state nearest to it.
    """

    def __init__(self, names: Iterable[str], slop: int) -> None:
        self._slop = slop
        span = slop + 2 * NANOSECONDS
        self._buffers: dict[str, StateBuffer[Any]] = {name: StateBuffer(span) for name in names}
        self.too_far: dict[
            str, float
        ] = {}  # s from the last image to the nearest state, if too far

    def add(self, name: str, stamp: int, message: Any) -> None:
        """A source told its state as of a stamp, ns."""
        self._buffers[name].add(stamp, message)

    def nearest(self, stamp: int) -> dict[str, Any | None]:
        """The state of each source nearest to a stamp, ns; None where that is too far from it."""
        self.too_far = {}
        states = {}
        for name, buffer in self._buffers.items():
            states[name] = buffer.nearest(stamp, self._slop)
            offset = buffer.offset(stamp)
            if states[name] is None and offset is not None:
                self.too_far[name] = offset / NANOSECONDS
        return states

    def newest(self) -> dict[str, Any | None]:
        """The last state of each source; None where there is none."""
        return {name: buffer.newest() for name, buffer in self._buffers.items()}

    def clear(self) -> None:
        """Forget everything."""
        for buffer in self._buffers.values():
            buffer.clear()
