"""Lock-step: the messages of one tick, put together by their very stamp.

Nothing here looks at a clock. A set is complete when every input has sent its message of the
tick, a refused one included, so that a camera that sends rubbish cannot stop the simulation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TickSet:
    """Everything stamped with one tick; None for an input whose message was refused."""

    tick: int
    stamp: int
    episode: int
    inputs: dict[str, Any] = field(default_factory=dict)


class TickAssembler:
    """Collects inputs by stamp, ns, until a tick with images is complete."""

    def __init__(self, inputs: Sequence[str]) -> None:
        self._inputs = tuple(inputs)
        self._parts: dict[int, dict[str, Any]] = {}
        self._ticks: deque[TickSet] = deque()
        self._done = -1
        self.stale = 0  # ticks that were overtaken before they were complete

    def add(self, name: str, stamp: int, value: Any | None) -> None:
        """A message of an input came; None: it was refused."""
        if stamp > self._done:
            self._parts.setdefault(stamp, {}).setdefault(name, value)

    def tick(self, tick: int, stamp: int, episode: int, has_images: bool) -> None:
        """A tick came. One with images waits for its inputs; any one ends those before it."""
        # The simulator goes on only when it has its answer, so an older tick needs none any more.
        self.stale += len(self._ticks)
        self._ticks.clear()
        if has_images and stamp > self._done:
            self._ticks.append(TickSet(tick, stamp, episode))
        self._forget(stamp - 1 if has_images else stamp)

    def take(self) -> TickSet | None:
        """The tick whose inputs are complete, once; else None."""
        if not self._ticks or self.missing():
            return None
        tick = self._ticks.popleft()
        inputs = self._parts[tick.stamp]
        self._forget(tick.stamp)
        return TickSet(tick.tick, tick.stamp, tick.episode, inputs)

    def missing(self) -> tuple[str, ...]:
        """Inputs that the present tick with images waits for."""
        if not self._ticks:
            return ()
        present = self._parts.get(self._ticks[0].stamp, {})
        return tuple(name for name in self._inputs if name not in present)

    def _forget(self, stamp: int) -> None:
        self._done = max(self._done, stamp)
        for old in [s for s in self._parts if s <= self._done]:
            del self._parts[old]
