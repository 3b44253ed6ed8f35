"""The tokenizer of a set of commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from vla_contract.language.spoken_text import tokens
from vla_policy.checkpoint.tokenizer import Tokenizer


def build_tokenizer(commands: Mapping[str, Sequence[str]], max_words: int) -> Tokenizer:
    """Vocabulary of all wordings of all tasks, alphabetical."""
    words = {
        word for wordings in commands.values() for wording in wordings for word in tokens(wording)
    }
    return Tokenizer(("<padding>", "<unknown>", *sorted(words)), max_words)


def encode_commands(
    tokenizer: Tokenizer, commands: Mapping[str, Sequence[str]]
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Per task, in order: tokens (wordings, W) and word counts (wordings,)."""
    result = []
    for wordings in commands.values():
        encoded = [tokenizer.encode(wording) for wording in wordings]
        result.append(
            (np.stack([e.ids for e in encoded]), np.array([e.count for e in encoded], np.int64))
        )
    return result
