"""Sets of messages, one of each input, whose stamps lie near each other."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.duration import Duration
from rclpy.time import Time

Queue = dict[int, Any]  # stamp in nanoseconds → message, in the order of arrival


class SimpleFilter:
    """Something that gives messages to the callbacks registered with it."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., Any], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., Any], *args: Any) -> int:
        """Have a callback called with each output of this filter, followed by these arguments.

        Returns:
            The number of the connection.
        """
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg: Any) -> None:
        """Give a message, or a set of messages, to every registered callback in order."""
        for callback, args in list(self.callbacks.values()):
            callback(*msg, *args)


class ApproximateTimeSynchronizer(SimpleFilter):
    """Gives out sets of messages whose stamps all lie less than ``slop`` seconds apart.

    Each input keeps its ``queue_size`` messages with the newest stamps while it waits for the
    others. A new message is matched with the messages nearest to it; what is matched is gone.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int, slop: float) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.slop = Duration(seconds=slop)
        self.lock = threading.Lock()
        self.queues: list[Queue] = [{} for _ in fs]
        for index, source in enumerate(fs):
            source.registerCallback(self.add, self.queues[index], index)

    def add(self, msg: Any, my_queue: Queue, my_queue_index: int) -> None:
        """Store a message of one input and give out the first set that it completes."""
        stamp = Time.from_msg(msg.header.stamp).nanoseconds
        with self.lock:
            my_queue[stamp] = msg
            while len(my_queue) > self.queue_size:
                del my_queue[min(my_queue)]
            stamps = self._match(stamp, my_queue_index)
            if stamps is not None:
                pairs = list(zip(self.queues, stamps, strict=True))
                self.signalMessage(*(queue[each] for queue, each in pairs))
                for queue, each in pairs:
                    del queue[each]

    def _match(self, stamp: int, index: int) -> tuple[int, ...] | None:
        """Return one stamp for each queue, nearest ones first tried, or None."""
        candidates = [
            [stamp] if i == index else self._near(queue, stamp)
            for i, queue in enumerate(self.queues)
        ]
        for stamps in itertools.product(*candidates):
            near = max(stamps) - min(stamps) < self.slop.nanoseconds
            # The new message may be dropped already, being older than all of a full queue.
            if near and all(s in queue for s, queue in zip(stamps, self.queues, strict=True)):
                return stamps
        return None

    def _near(self, queue: Queue, stamp: int) -> list[int]:
        """Return the stamps of a queue within the slop (its end included), nearest first."""
        near = [s for s in queue if abs(s - stamp) <= self.slop.nanoseconds]
        return sorted(near, key=lambda s: abs(s - stamp))
