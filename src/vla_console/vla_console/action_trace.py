"""What was requested and what was sent over time, and the chunk that is planned. Free of ROS."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 256  # samples between two looks; the oldest go first
DIGITS = 4


@dataclass(frozen=True)
class DimensionView:
    """One dimension of the action space; its range is None where it is not known."""

    name: str
    unit: str = ""
    kind: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ChunkView:
    """A planned chunk. stamp: of its first row, ns; period: s; rows: shape (n, dimensions), SI."""

    stamp: int
    period: float
    rows: tuple[tuple[float, ...], ...]


class ActionTrace:
    """Samples since the last `drain`, bounded; and the newest chunk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples: deque[list[Any]] = deque(maxlen=LONGEST)
        self._chunk: ChunkView | None = None
        self._names: tuple[str, ...] = ()
        self._described: dict[str, DimensionView] = {}
        self.last_at = 0  # steady, ns, of the last sample

    def describe(self, dimensions: Sequence[DimensionView]) -> None:
        """Units and ranges, where the action space is known."""
        with self._lock:
            self._described = {dimension.name: dimension for dimension in dimensions}

    def add(
        self,
        stamp: int,
        names: tuple[str, ...],
        requested: Sequence[float],
        sent: Sequence[float],
        steady: int,
    ) -> None:
        """One control period. stamp: node clock, ns; requested, sent: SI, one per dimension."""
        with self._lock:
            self._names, self.last_at = names, steady
            self._samples.append([stamp * 1e-9, numbers(requested), numbers(sent)])

    def set_chunk(self, chunk: ChunkView) -> None:
        """A chunk was planned."""
        with self._lock:
            self._chunk = chunk

    def dimensions(self) -> list[dict[str, Any]]:
        """The dimensions in their order, for JSON."""
        with self._lock:
            return [
                vars(self._described.get(name, DimensionView(name)))
                for name in self._names or self._described
            ]

    def drain(self) -> dict[str, Any] | None:
        """What is new since the last call, for JSON; None where nothing is."""
        with self._lock:
            samples, chunk = list(self._samples), self._chunk
            self._samples.clear()
            self._chunk = None
        if not samples and chunk is None:
            return None
        told: dict[str, Any] = {"samples": samples}
        if chunk is not None:
            told["chunk"] = {
                "t": chunk.stamp * 1e-9,
                "period": chunk.period,
                "rows": [numbers(row) for row in chunk.rows],
            }
        return told


def numbers(values: Sequence[float]) -> list[float | None]:
    """Numbers for JSON, None for what is none."""
    return [round(value, DIGITS) if math.isfinite(value) else None for value in values]
