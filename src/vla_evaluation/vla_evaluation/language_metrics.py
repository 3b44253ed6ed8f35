"""What is understood: commands, the objects that they name, words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_contract.language.spoken_text import normalised, tokens
from vla_evaluation.metric_errors import EvaluationError, above_zero, finite, pair, same_length
from vla_evaluation.vision_metrics import Classification, classification


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
    nothing_found: how often no object was chosen, which is right in no sense.
    """

    accuracy: float
    identity_accuracy: float
    within_tolerance: float
    position_error: float
    tolerance: float
    nothing_found: int


def grounding(
    named: Sequence[Hashable],
    positions: Any,
    found: Sequence[Hashable | None],
    found_positions: Sequence[Any],
    tolerance: float = 0.05,
) -> Grounding:
    """Entity grounding accuracy: identity and position together.

    Args:
        named, found: the object that the command names, and the one that was chosen; length N.
            None in found: nothing was.
        positions, found_positions: where it is and where it was taken to be, m, shape [N, 2 or 3];
            None where nothing was found.
        tolerance: m.

    Raises:
        EvaluationError: empty, shapes that do not match, positions or tolerance not finite, or
            an object found without a position or the other way round.
    """
    above_zero("tolerance", tolerance, "m")
    count = same_length(
        named=named, positions=positions, found=found, found_positions=found_positions
    )
    for index, (each, place) in enumerate(zip(found, found_positions, strict=True)):
        if (each is None) != (place is None):
            raise EvaluationError(
                f"of found {index} the {'object' if each is None else 'position'} is missing; "
                "accepted: both, or neither where nothing was found"
            )
    true = finite("positions", positions, 2)
    seen = np.array([each is not None for each in found])
    distance = np.full(count, np.inf)
    if seen.any():
        guess = [place for place in found_positions if place is not None]
        a, b = pair(("positions", true[seen]), ("found_positions", guess), 2)
        distance[seen] = np.linalg.norm(a - b, axis=1)
    same = seen & np.array([str(a) == str(b) for a, b in zip(named, found, strict=True)])
    near = distance <= tolerance
    return Grounding(
        accuracy=float(np.mean(same & near)),
        identity_accuracy=float(np.mean(same)),
        within_tolerance=float(np.mean(near)),
        position_error=float(distance[same].mean()) if same.any() else float("nan"),
        tolerance=tolerance,
        nothing_found=int(count - seen.sum()),
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
        EvaluationError: no text, a vocabulary that is empty or one text, or no word in any text.
    """
    same_length(texts=texts)
    if isinstance(vocabulary, str):
        raise EvaluationError(f"vocabulary is {vocabulary!r}; accepted: a list of words")
    known = {normalised(word) for word in vocabulary}
    if not known:
        raise EvaluationError("vocabulary is empty; accepted: at least one word")
    split = [tokens(text) for text in texts]
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
