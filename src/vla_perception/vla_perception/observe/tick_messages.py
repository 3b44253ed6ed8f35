"""Lock-step: the messages of one tick, put together by their very stamp.

Nothing here looks at a clock. A set is complete when every input has sent its message of the
tick, a refused one included, so that a camera that sends rubbish cannot stop the simulation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vla_contract.topics import LOCK_STEP_AHEAD


@dataclass(frozen=True)
class TickSet:
    """Everything stamped with one tick; None for an input that has no good message of it."""

    tick: int
    stamp: int
    episode: int
    inputs: dict[str, Any] = field(default_factory=dict)


class TickAssembler:
    """Collects inputs by stamp, ns, until a tick with images is complete.

    A simulator sends a tick when it has the answer to the last one; a replay, which knows what
    comes, sends `LOCK_STEP_AHEAD` of them before.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        self._inputs = tuple(inputs)
        self._parts: dict[int, dict[str, Any]] = {}
        self._ticks: deque[TickSet] = deque()  # those with images that are not complete
        self._done = -1
        self.stale = 0  # ticks that were overtaken before they were complete

    def add(self, name: str, stamp: int, value: Any | None) -> None:
        """A message of an input came; None: it was refused."""
        if stamp > self._done:
            self._parts.setdefault(stamp, {}).setdefault(name, value)

    def tick(
        self, tick: int, stamp: int, episode: int, has_images: bool, missing: Sequence[str] = ()
    ) -> None:
        """A tick came. One with images waits for its inputs; one without ends those before it.

        missing: inputs that send no message of this tick.
        """
        if not has_images:
            self._overtake(len(self._ticks))
            self._forget(stamp)
        elif stamp > self._done:
            for name in missing:
                self.add(name, stamp, None)
            self._overtake(len(self._ticks) - LOCK_STEP_AHEAD)
            self._ticks.append(TickSet(tick, stamp, episode))
            self._forget(self._ticks[0].stamp - 1)

    def take(self) -> TickSet | None:
        """The first tick whose inputs are complete, once; else None.

        Each input comes in order, so what the ticks before it lack does not come any more.
        """
        for index, tick in enumerate(self._ticks):
            if not self._missing(tick):
                self._overtake(index)
                self._ticks.popleft()
                inputs = self._parts[tick.stamp]
                self._forget(tick.stamp)
                return TickSet(tick.tick, tick.stamp, tick.episode, inputs)
        return None

    def present(self) -> int | None:
        """Stamp of the first tick that waits, ns; None where none does."""
        return self._ticks[0].stamp if self._ticks else None

    def missing(self) -> tuple[str, ...]:
        """Inputs that the first tick waits for."""
        return self._missing(self._ticks[0]) if self._ticks else ()

    def _missing(self, tick: TickSet) -> tuple[str, ...]:
        parts = self._parts.get(tick.stamp, {})
        return tuple(name for name in self._inputs if name not in parts)

    def _overtake(self, count: int) -> None:
        for _ in range(count):
            self._ticks.popleft()
            self.stale += 1

    def _forget(self, stamp: int) -> None:
        self._done = max(self._done, stamp)
        for old in [s for s in self._parts if s <= self._done]:
            del self._parts[old]
