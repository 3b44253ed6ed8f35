"""Does a confidence mean something? Ranking, calibration, and Platt's scaling. NumPy only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

BINS = 10
ITERATIONS = 50


@dataclass(frozen=True)
class Trust:
    """Measures of a confidence.

    auroc: that a failure has less confidence than a success, by chance 0.5; NaN where there are
    only failures or only successes. calibration_error: expected, over `BINS` bins of equal count.
    brier: mean squared error. base_calibration_error, base_brier: of always saying `base`.
    """

    auroc: float
    calibration_error: float
    brier: float
    base: float
    base_calibration_error: float
    base_brier: float
    count: int


def measure(confidence: Float, success: Bool, base: float) -> Trust:
    """Compare a confidence with outcomes; base: the success rate that was known beforehand."""
    outcome = success.astype(np.float64)
    rate = float(outcome.mean())
    return Trust(
        auroc=auroc(confidence, success),
        calibration_error=calibration_error(confidence, success),
        brier=float(np.square(confidence - outcome).mean()),
        base=base,
        base_calibration_error=abs(base - rate),
        base_brier=float(np.square(base - outcome).mean()),
        count=len(outcome),
    )


def auroc(score: Float, positive: Bool) -> float:
    """Probability that a positive scores higher than a negative, ties counting half."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return math.nan
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2.0  # mean rank of equal scores, from 1
    total = float(ranks[inverse][positive].sum())
    return (total - positives * (positives + 1) / 2.0) / (positives * negatives)


def calibration_error(confidence: Float, success: Bool, bins: int = BINS) -> float:
    """Mean distance between confidence and success rate, over bins of equal count."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(p) * abs(confidence[p].mean() - success[p].mean()) for p in parts]
    return float(sum(gaps) / len(confidence))


def platt(logit: Float, success: Bool, weight: Float) -> tuple[float, float]:
    """Scale and offset that make sigmoid(scale * logit + offset) fit the outcomes best.

    Newton's method with Platt's smoothed targets (1999), so that outcomes which are all alike do
    not ask for certainty. weight: of each, as many as there are.
    """
    positives = float(weight[success].sum())
    negatives = float(weight[~success].sum())
    high, low = (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0)
    target = np.where(success, high, low)
    inputs = np.stack([logit, np.ones_like(logit)], axis=1)
    solution = np.array([0.0, math.log((positives + 1.0) / (negatives + 1.0))])
    for _ in range(ITERATIONS):
        p = 1.0 / (1.0 + np.exp(-np.clip(inputs @ solution, -30.0, 30.0)))
        gradient = inputs.T @ (weight * (p - target))
        hessian = (inputs.T * (weight * p * (1.0 - p))) @ inputs + 1e-6 * np.eye(2)
        change = np.linalg.solve(hessian, gradient)
        solution = solution - np.clip(change, -2.0, 2.0)
        if np.abs(change).max() < 1e-8:
            break
    return float(solution[0]), float(solution[1])
