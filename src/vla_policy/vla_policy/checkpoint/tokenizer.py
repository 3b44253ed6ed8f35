"""Words of a command as the numbers a model was trained with."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_contract.language.spoken_text import tokens

PADDING = 0
UNKNOWN = 1


class TokenizerError(ValueError):
    """A vocabulary that cannot be used."""


@dataclass(frozen=True)
class Tokens:
    """A tokenized command.

    ids: int64, shape (max_words,), `PADDING` after the last word. count: words kept.
    unknown: the words that the vocabulary lacks, in order. truncated: words beyond max_words,
    which the model does not see.
    """

    ids: npt.NDArray[np.int64]
    count: int
    unknown: tuple[str, ...]
    truncated: int

    @property
    def known(self) -> int:
        """Number of kept words that the vocabulary has."""
        return self.count - len(self.unknown)

    @property
    def key(self) -> bytes:
        """Equal for two commands that are the same to the model."""
        return self.ids.tobytes()


@dataclass(frozen=True)
class Tokenizer:
    """A vocabulary; word `words[i]` has the id i.

    words[0] and words[1] stand for padding and an unknown word. open: every word counts as
    known (a model without a vocabulary).
    """

    words: tuple[str, ...]
    max_words: int
    open: bool = False

    def __post_init__(self) -> None:
        if self.max_words < 1:
            raise TokenizerError(f"max_words is {self.max_words}; accepted: at least 1")
        if len(self.words) < 2 or len(set(self.words)) != len(self.words):
            raise TokenizerError(
                f"words has {len(self.words)} entries, {len(set(self.words))} of them different; "
                "accepted: different words after the entries for padding and unknown"
            )
        object.__setattr__(self, "_ids", {word: i for i, word in enumerate(self.words) if i > 1})

    @staticmethod
    def from_json(text: str, max_words: int) -> Tokenizer:
        """Read tokenizer.json: {"words": [...]}; raises TokenizerError."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise TokenizerError(f"not JSON: {error}") from error
        words = data.get("words") if isinstance(data, dict) else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise TokenizerError('accepted: {"words": [a list of words]}')
        return Tokenizer(tuple(words), max_words)

    def encode(self, text: str) -> Tokens:
        """Tokens of a command: its runs of a-z and 0-9, normalised, the first max_words of them."""
        found = tokens(text)
        kept = found[: self.max_words]
        ids = np.full(self.max_words, PADDING, dtype=np.int64)
        vocabulary: dict[str, int] = self._ids  # type: ignore[attr-defined]
        for i, word in enumerate(kept):
            ids[i] = vocabulary.get(word, UNKNOWN)
        unknown = () if self.open else tuple(word for word in kept if word not in vocabulary)
        return Tokens(ids, len(kept), unknown, len(found) - len(kept))
