"""Messages in time order from stored blocks, with only the blocks in memory that overlap.

A bag's messages are stored in about the order of their arrival, sometimes topic by topic. What
counts is (segment, time): a topic whose time falls by a second or more (a recording in a loop, a
clock that was set back) begins another segment, and segments follow one another.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

JUMP = 1_000_000_000  # ns; a fall in time by less is disorder and is sorted


@dataclass(frozen=True, order=True)
class Key:
    """Where a message belongs: segment (0, 1, …) and time, ns, by the recorder's clock."""

    segment: int
    time: int


@dataclass(frozen=True)
class Stored:
    """One message as it is stored. data: serialised (CDR, or ROS 1's own form)."""

    key: Key
    topic: str
    type: str
    data: bytes


@dataclass(frozen=True)
class Block:
    """Messages that are read at once.

    first: least key in it. count: messages in it. load: reads it; what cannot be read is counted
    by whoever made the block.
    """

    first: Key
    count: int
    load: Callable[[], list[Stored]]


@dataclass
class Segments:
    """Follows the times of each topic in the order of storage.

    jumps: times that a topic's time fell by `JUMP` or more. disorder: messages stored after a
    later one of their topic, by less than that.
    """

    jumps: int = 0
    disorder: int = 0
    _latest: dict[str, Key] = field(default_factory=dict)

    def key(self, topic: str, time: int) -> Key:
        """Key of the topic's next message."""
        latest = self._latest.get(topic)
        segment = latest.segment if latest else 0
        if latest and time <= latest.time - JUMP:
            segment += 1
            self.jumps += 1
        elif latest and time < latest.time:
            self.disorder += 1
            return Key(segment, time)
        self._latest[topic] = Key(segment, time)
        return self._latest[topic]

    def copy(self) -> Segments:
        """The same state, to read a block again later."""
        return Segments(self.jumps, self.disorder, dict(self._latest))


def merged(blocks: list[Block]) -> Iterator[Stored]:
    """Every message in order of its key; of equal keys the one stored first comes first."""
    waiting = sorted(enumerate(blocks), key=lambda item: (item[1].first, item[0]))
    waiting.reverse()
    heap: list[tuple[Key, int, int, Stored]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[-1][1].first <= heap[0][0]):
            number, block = waiting.pop()
            for index, message in enumerate(block.load()):
                heapq.heappush(heap, (message.key, number, index, message))
        if heap:
            yield heapq.heappop(heap)[-1]
