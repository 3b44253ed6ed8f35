"""Sets of messages, one of each input, that belong together by their stamps."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any

from rclpy.duration import Duration
from rclpy.time import Time

from .simple_filter import SimpleFilter
from .stamps import stamp_of

Queue = dict[int, Any]  # stamp in nanoseconds -> message, in the order of arrival


class TimeSynchronizer(SimpleFilter):
    """Gives out sets of messages with the very same stamp.

    Each input keeps its ``queue_size`` messages with the newest stamps while it waits for the
    others.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:
        """Take messages from these filters."""
        self.queues: list[Queue] = [{} for _ in fs]
        self.input_connections = [
            source.registerCallback(self.add, queue, index)
            for index, (source, queue) in enumerate(zip(fs, self.queues))  # noqa: B905
        ]

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take a message of one input and give out the sets that it completes."""
        with self.lock:
            self._insert(my_queue, Time.from_msg(msg.header.stamp).nanoseconds, msg)
            common = set(self.queues[0]).intersection(*self.queues[1:])
            for stamp in sorted(common):
                self._emit([stamp] * len(self.queues))

    def _insert(self, queue: Queue, stamp: int, msg: Any) -> None:
        queue[stamp] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]

    def _emit(self, stamps: Sequence[int]) -> None:
        self.signalMessage(*(queue[stamp] for queue, stamp in zip(self.queues, stamps)))  # noqa: B905
        for queue, stamp in zip(self.queues, stamps):  # noqa: B905
            del queue[stamp]


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Gives out sets of messages whose stamps all lie less than ``slop`` seconds apart.

    A new message is matched with the messages nearest to it; what is matched is gone. With
    ``allow_headerless``, a message without a header counts with the time of its arrival.
    """

    def __init__(
        self,
        fs: Sequence[SimpleFilter],
        queue_size: int,
        slop: float,
        allow_headerless: bool = False,
    ) -> None:
        super().__init__(fs, queue_size)
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int | None = None) -> None:
        """Take a message of one input and give out the first set that it completes."""
        stamp = stamp_of(msg, self.allow_headerless, "message_filters_approx")
        if stamp is None:
            return
        with self.lock:
            self._insert(my_queue, stamp.nanoseconds, msg)
            match = self._match(stamp.nanoseconds, my_queue_index)
            if match is not None:
                self._emit(match)

    def _match(self, stamp: int, index: int | None) -> list[int] | None:
        """Return one stamp for each queue, nearest ones first tried, or None."""
        candidates = [
            [stamp] if i == index else self._near(queue, stamp)
            for i, queue in enumerate(self.queues)
        ]
        for stamps in itertools.product(*candidates):
            near = max(stamps) - min(stamps) < self.slop.nanoseconds
            # The new message may be dropped already, being older than all of a full queue.
            if near and all(s in queue for s, queue in zip(stamps, self.queues)):  # noqa: B905
                return list(stamps)
        return None

    def _near(self, queue: Queue, stamp: int) -> list[int]:
        """Return the stamps of a queue within the slop (its end included), nearest first."""
        near = [s for s in queue if abs(s - stamp) <= self.slop.nanoseconds]
        return sorted(near, key=lambda s: abs(s - stamp))
