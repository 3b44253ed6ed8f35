"""How well frames and commands fit together: retrieval of the right command for a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_evaluation.metric_errors import Array, EvaluationError, finite


@dataclass(frozen=True)
class Retrieval:
    """Of F frames with C candidate commands each.

    recall_at_1, recall_at_5: share of frames whose right command is among the best 1 or 5.
    mean_rank: 1 is best. mean_reciprocal_rank: mean of 1 / rank. chance: recall_at_1 of guessing.
    """

    recall_at_1: float
    recall_at_5: float
    mean_rank: float
    median_rank: float
    mean_reciprocal_rank: float
    chance: float
    commands: int


def retrieval(scores: Any, correct: Any) -> Retrieval:
    """Rank the right command of each frame by score.

    Commands that score the same as the right one rank before it, so that a constant score earns
    nothing.

    Args:
        scores: shape [F, C], greater is better. correct: index of the right command, length F.

    Raises:
        EvaluationError: empty, shapes that do not match, not finite, or an index that is no integer
            or out of range.
    """
    table = finite("scores", scores, 2)
    right = finite("correct", correct, 1)
    broken = right[right % 1.0 != 0.0]
    if broken.size:
        raise EvaluationError(f"correct holds {broken[0]}; accepted: integers")
    right = right.astype(np.int64)
    frames, commands = table.shape
    if len(right) != frames:
        raise EvaluationError(
            f"scores have {frames} frames and correct {len(right)}; accepted: one each"
        )
    if right.min() < 0 or right.max() >= commands:
        raise EvaluationError(
            f"correct holds {right.min()} to {right.max()}; accepted: 0 to {commands - 1}"
        )
    ranks = (table >= table[np.arange(frames), right][:, None]).sum(axis=1)
    return Retrieval(
        recall_at_1=float(np.mean(ranks <= 1)),
        recall_at_5=float(np.mean(ranks <= 5)),
        mean_rank=float(ranks.mean()),
        median_rank=float(np.median(ranks)),
        mean_reciprocal_rank=float(np.mean(1.0 / ranks)),
        chance=1.0 / commands,
        commands=commands,
    )


def cosine_scores(frames: Any, commands: Any) -> Array:
    """Scores from embeddings: cosine similarity; [F, K], [C, K] → [F, C].

    Raises:
        EvaluationError: widths differ, or a vector of zeros.
    """
    a, b = finite("frames", frames, 2), finite("commands", commands, 2)
    if a.shape[1] != b.shape[1]:
        raise EvaluationError(
            f"embeddings have widths {a.shape[1]} and {b.shape[1]}; accepted: equal widths"
        )
    lengths = [np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b)]
    if any((length == 0.0).any() for length in lengths):
        raise EvaluationError("an embedding is all zeros; accepted: vectors with a direction")
    result: Array = (a / lengths[0]) @ (b / lengths[1]).T
    return result


def action_scores(predicted: Any, demonstrated: Any) -> Array:
    """Scores from actions: how near what the policy does under each command is to what was shown.

    Args:
        predicted: shape [F, C, ...], the action (or chunk) for frame f under command c.
        demonstrated: shape [F, ...].

    Returns:
        minus the root mean square error, shape [F, C].

    Raises:
        EvaluationError: shapes that do not match, or not finite.
    """
    p, d = finite("predicted", predicted), finite("demonstrated", demonstrated)
    if p.ndim < 3 or p.shape[:1] + p.shape[2:] != d.shape:
        raise EvaluationError(
            f"predicted has shape {p.shape} and demonstrated {d.shape}; "
            "accepted: [F, C, ...] and [F, ...]"
        )
    error = (p - d[:, None]).reshape(*p.shape[:2], -1)
    result: Array = -np.sqrt((error**2).mean(axis=2))
    return result
