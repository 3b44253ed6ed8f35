"""Which tick of the simulator is to be answered, and whether all that it needs is here.

Free of ROS. Messages of one tick come on several topics and thus in any order; nothing may
depend on it. So chunks wait for their tick, and a tick for its chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

from vla_safety.plan.sequencing import Chunk

_MAX_WAITING = 64


@dataclass(frozen=True)
class Tick:
    """One simulation tick; stamp in ns."""

    number: int
    stamp: int
    episode: int
    has_images: bool


class TickQueue:
    """Pairs ticks with chunks."""

    def __init__(self) -> None:
        self.pending: Tick | None = None
        self.dropped = 0
        self._answered = 0
        self._episode: int | None = None
        self._chunks: list[Chunk] = []

    def accept_tick(self, tick: Tick) -> bool:
        """A tick came; False where it was answered before."""
        if tick.number <= self._answered:
            return False
        self.pending = tick
        return True

    def accept_chunk(self, chunk: Chunk) -> None:
        """A chunk came; it waits for the tick of its stamp."""
        if len(self._chunks) >= _MAX_WAITING:
            self._chunks.pop(0)
            self.dropped += 1
        self._chunks.append(chunk)

    @property
    def ready(self) -> bool:
        """There is a tick to answer, and its chunk is here where it needs one."""
        tick = self.pending
        if tick is None:
            return False
        return not tick.has_images or any(c.observation_stamp == tick.stamp for c in self._chunks)

    def begin_period(self) -> tuple[Tick, list[Chunk], bool]:
        """Take the tick that is ready: with its chunks, oldest first, and if an episode begins."""
        tick = self.pending
        assert tick is not None, "begin_period() needs a pending tick"
        due = [c for c in self._chunks if c.observation_stamp <= tick.stamp]
        self._chunks = [c for c in self._chunks if c.observation_stamp > tick.stamp]
        new_episode = tick.episode != self._episode
        self.pending, self._answered, self._episode = None, tick.number, tick.episode
        return tick, sorted(due, key=lambda chunk: chunk.observation_stamp), new_episode
