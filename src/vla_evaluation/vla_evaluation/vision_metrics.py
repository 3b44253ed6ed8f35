"""What is seen: classes, boxes and masks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import accuracy_score, jaccard_score, precision_recall_fscore_support

from vla_evaluation.metric_errors import Array, EvaluationError, finite, same_length


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class; support: how often it is the true one."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Classification:
    """accuracy: share of right predictions. precision, recall, f1: macro means over classes."""

    accuracy: float
    precision: float
    recall: float
    f1: float
    classes: dict[str, ClassScores]


def classification(truth: Sequence[Hashable], predicted: Sequence[Hashable]) -> Classification:
    """Accuracy, precision, recall and F1 (scikit-learn).

    A class that is never predicted has precision 0, one that never occurs recall 0; the macro
    means are over every class that occurs in either sequence.

    Args:
        truth, predicted: labels, of equal length; compared as texts.

    Raises:
        EvaluationError: empty, lengths differ, or a label that is neither a text nor an integer.
    """
    same_length(truth=truth, predicted=predicted)
    y_true, y_predicted = _labels("truth", truth), _labels("predicted", predicted)
    names = sorted(set(y_true) | set(y_predicted))
    precision, recall, f1, support = precision_recall_fscore_support(
        y_true, y_predicted, labels=names, average=None, zero_division=0.0
    )
    return Classification(
        accuracy=float(accuracy_score(y_true, y_predicted)),
        precision=float(np.mean(precision)),
        recall=float(np.mean(recall)),
        f1=float(np.mean(f1)),
        classes={
            name: ClassScores(float(p), float(r), float(f), int(s))
            for name, p, r, f, s in zip(names, precision, recall, f1, support, strict=True)
        },
    )


def _labels(name: str, values: Sequence[Hashable]) -> list[str]:
    for value in values:
        if not isinstance(value, str | int | np.integer):
            raise EvaluationError(f"{name} holds {value!r}; accepted: texts and integers")
    return [str(value) for value in values]


@dataclass(frozen=True)
class Boxes:
    """Boxes of one image: corners [x_min, y_min, x_max, y_max] in px, shape [N, 4], and labels.

    Raises:
        EvaluationError: another shape, a box without an area, or labels that do not match.
    """

    corners: Any
    labels: Sequence[Hashable]

    def __post_init__(self) -> None:
        corners = np.asarray(self.corners, dtype=np.float64)
        if corners.size == 0:
            corners = corners.reshape(0, 4)
        if corners.ndim != 2 or corners.shape[1] != 4:
            raise EvaluationError(f"boxes have shape {corners.shape}; accepted: [N, 4]")
        if len(self.labels) != len(corners):
            raise EvaluationError(
                f"{len(corners)} boxes and {len(self.labels)} labels; accepted: one label a box"
            )
        if len(corners):
            finite("boxes", corners)
        bad = (corners[:, 2] <= corners[:, 0]) | (corners[:, 3] <= corners[:, 1])
        if bad.any():
            raise EvaluationError(
                f"box {corners[bad][0].tolist()} has no area; accepted: x_min < x_max, "
                "y_min < y_max"
            )
        object.__setattr__(self, "corners", corners)


@dataclass(frozen=True)
class Detection:
    """mean_iou: over matched pairs and what is left over on either side, which counts 0.

    matched_iou: over matched pairs only; NaN where there is none. precision, recall, f1: a pair
    counts as found at an IoU of `threshold` at least.
    """

    mean_iou: float
    matched_iou: float
    precision: float
    recall: float
    f1: float
    matched: int
    missed: int
    spurious: int
    threshold: float


def iou(first: Array, second: Array) -> Array:
    """Intersection over union of every pair of boxes; shapes [N, 4], [M, 4] → [N, M]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = np.clip(high - low, 0.0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    result: Array = overlap / (areas[0][:, None] + areas[1][None, :] - overlap)
    return result


def detection(
    truth: Sequence[Boxes], predicted: Sequence[Boxes], threshold: float = 0.5
) -> Detection:
    """IoU of boxes under the best one-to-one matching within each image and label.

    The matching maximises the sum of IoU (Kuhn 1955, "The Hungarian method", by scipy).

    Args:
        truth, predicted: boxes of each image, of equal length.

    Raises:
        EvaluationError: empty, lengths differ, no box at all, or a threshold outside (0, 1].
    """
    same_length(truth=truth, predicted=predicted)
    if not 0.0 < threshold <= 1.0:
        raise EvaluationError(f"threshold is {threshold!r}; accepted: above 0, at most 1")
    ious: list[float] = []
    missed = spurious = 0
    for true, found in zip(truth, predicted, strict=True):
        pairs = _match(true, found)
        ious += pairs
        missed += len(true.labels) - len(pairs)
        spurious += len(found.labels) - len(pairs)
    total = len(ious) + missed + spurious
    if total == 0:
        raise EvaluationError("no image has a box; accepted: at least one box")
    hits = sum(value >= threshold for value in ious)
    n_true, n_found = len(ious) + missed, len(ious) + spurious
    return Detection(
        mean_iou=sum(ious) / total,
        matched_iou=float(np.mean(ious)) if ious else float("nan"),
        precision=hits / n_found if n_found else 0.0,
        recall=hits / n_true if n_true else 0.0,
        f1=2 * hits / (n_true + n_found),
        matched=len(ious),
        missed=missed,
        spurious=spurious,
        threshold=threshold,
    )


def _match(truth: Boxes, found: Boxes) -> list[float]:
    """IoU of the pairs that overlap, label by label."""
    ious: list[float] = []
    labels = [np.array([str(label) for label in boxes.labels]) for boxes in (truth, found)]
    for label in sorted(set(labels[0]) & set(labels[1])):
        table = iou(truth.corners[labels[0] == label], found.corners[labels[1] == label])
        rows, columns = linear_sum_assignment(table, maximize=True)
        ious += [float(value) for value in table[rows, columns] if value > 0.0]
    return ious


@dataclass(frozen=True)
class Segmentation:
    """iou per class; mean_iou: over the classes that occur in either mask."""

    iou: dict[str, float]
    mean_iou: float
    pixel_accuracy: float


def segmentation(truth: Any, predicted: Any) -> Segmentation:
    """IoU of masks, pixel by pixel (scikit-learn's Jaccard score).

    Args:
        truth, predicted: integer class of each pixel; any shape, the same for both.

    Raises:
        EvaluationError: empty, shapes differ, or not integers.
    """
    masks = []
    for name, mask in (("truth", truth), ("predicted", predicted)):
        array = finite(name, mask)
        if not np.equal(np.mod(array, 1), 0).all():
            raise EvaluationError(f"mask {name} is not of integers; accepted: class numbers")
        masks.append(array.astype(np.int64))
    if masks[0].shape != masks[1].shape:
        raise EvaluationError(
            f"masks have shapes {masks[0].shape} and {masks[1].shape}; accepted: equal shapes"
        )
    y_true, y_predicted = masks[0].ravel(), masks[1].ravel()
    labels = np.unique(np.concatenate((y_true, y_predicted)))
    # Every label occurs, so that no union is empty (zero_division, which 0.23 does not know).
    scores = jaccard_score(y_true, y_predicted, labels=labels, average=None)
    return Segmentation(
        iou={str(label): float(score) for label, score in zip(labels, scores, strict=True)},
        mean_iou=float(np.mean(scores)),
        pixel_accuracy=float(np.mean(y_true == y_predicted)),
    )
