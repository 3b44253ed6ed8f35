"""What the node asks of whatever answers observations: a checkpoint, a server, or both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import Answer, Observation, Problem


class Counts(Protocol):
    """A cache's counts."""

    hits: int
    misses: int


class Answering(Protocol):
    """Answers observations; called by one thread at a time.

    The numbers are the parameters of the same names, and may be changed at any time.
    """

    checkpoint: Checkpoint
    done_count: int
    min_known_share: float
    min_confidence: float

    @property
    def cache(self) -> Any:
        """Language features, with `hits` and `misses`."""

    @property
    def unknown_words(self) -> int:
        """Words of commands that the model does not know."""

    @property
    def replans(self) -> int:
        """Bad outputs that were inferred once more."""

    def answer(self, observation: Observation) -> Answer:
        """Chunk for an observation."""

    def refused(self, *problems: Problem) -> Answer:
        """An empty chunk, because of `problems`."""

    def reset(self) -> None:
        """Forget commands and their features."""

    def close(self) -> None:
        """End what it holds."""

    def values(self) -> Mapping[str, Any]:
        """More for diagnostics."""
