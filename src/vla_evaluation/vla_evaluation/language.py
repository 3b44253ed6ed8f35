"""What is understood: commands, the objects that they name, words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_evaluation.errors import EvaluationError, above_zero, pair, same_length
from vla_evaluation.vision import Classification, classification

# As the policy's tokenizer splits.
_WORD = re.compile(r"[a-z0-9]+")


def commands(intended: Sequence[Hashable], understood: Sequence[Hashable]) -> Classification:
    """Command accuracy: which command was meant, and which one was carried out or recognised.

    Raises:
        EvaluationError: empty, or lengths differ.
    """
    return classification(intended, understood)


@dataclass(frozen=True)
class Grounding:
    """How well the named object is found.

    accuracy: the right object, at most `tolerance` from where it is. identity_accuracy: the right
    object, wherever. position_error: mean distance, m, over the right objects; NaN without one.
    within_tolerance: share of all positions within the tolerance, whatever the object.
    """

    accuracy: float
    identity_accuracy: float
    within_tolerance: float
    position_error: float
    tolerance: float
    count: int


def grounding(
    named: Sequence[Hashable],
    positions: Any,
    found: Sequence[Hashable],
    found_positions: Any,
    tolerance: float = 0.05,
) -> Grounding:
    """Entity grounding accuracy: identity and position together.

    Args:
        named, found: the object that the command names, and the one that was chosen; length N.
        positions, found_positions: where it is and where it was taken to be, m, shape [N, 2 or 3].
        tolerance: m.

    Raises:
        EvaluationError: empty, shapes that do not match, positions or tolerance not finite.
    """
    above_zero("tolerance", tolerance, "m")
    count = same_length(
        named=named, positions=positions, found=found, found_positions=found_positions
    )
    true, guess = pair(("positions", positions), ("found_positions", found_positions), 2)
    distance = np.linalg.norm(true - guess, axis=1)
    same = np.array([str(a) == str(b) for a, b in zip(named, found, strict=True)])
    near = distance <= tolerance
    return Grounding(
        accuracy=float(np.mean(same & near)),
        identity_accuracy=float(np.mean(same)),
        within_tolerance=float(np.mean(near)),
        position_error=float(distance[same].mean()) if same.any() else float("nan"),
        tolerance=tolerance,
        count=count,
    )


@dataclass(frozen=True)
class Coverage:
    """Share of words (as often as they occur) and of different words that the vocabulary holds.

    commands: share of commands of which every word is known. unknown: word → how often.
    """

    tokens: float
    types: float
    commands: float
    unknown: dict[str, int]


def coverage(texts: Sequence[str], vocabulary: Iterable[str]) -> Coverage:
    """Word-level coverage of commands by a vocabulary.

    Words are runs of a-z and 0-9 in lower case, as the tokenizer splits them.

    Raises:
        EvaluationError: no text, an empty vocabulary, or no word in any text.
    """
    same_length(texts=texts)
    known = {word.lower() for word in vocabulary}
    if not known:
        raise EvaluationError("vocabulary is empty; accepted: at least one word")
    split = [_WORD.findall(text.lower()) for text in texts]
    counts = Counter(word for words in split for word in words)
    if not counts:
        raise EvaluationError("no text holds a word; accepted: words of a-z and 0-9")
    unknown = {word: n for word, n in sorted(counts.items()) if word not in known}
    return Coverage(
        tokens=1.0 - sum(unknown.values()) / sum(counts.values()),
        types=1.0 - len(unknown) / len(counts),
        commands=sum(bool(words) and known.issuperset(words) for words in split) / len(split),
        unknown=unknown,
    )
