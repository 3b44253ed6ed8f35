"""What is done: success, and how near actions and trajectories are to what was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import mean_absolute_error, mean_squared_error

from vla_evaluation.metric_errors import EvaluationError, finite, pair, same_length


@dataclass(frozen=True)
class Success:
    """Share of successes with its 95 % Wilson interval [low, high]."""

    successes: int
    trials: int
    rate: float
    low: float
    high: float


def success(outcomes: Sequence[bool]) -> Success:
    """Success rate with its interval (Wilson 1927, by scipy).

    Raises:
        EvaluationError: empty, or an outcome that is neither true nor false.
    """
    trials = same_length(outcomes=outcomes)
    for outcome in outcomes:
        if outcome not in (True, False):
            raise EvaluationError(f"outcome {outcome!r}; accepted: true or false")
    successes = sum(bool(outcome) for outcome in outcomes)
    interval = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    return Success(successes, trials, successes / trials, float(interval.low), float(interval.high))


@dataclass(frozen=True)
class ActionError:
    """Per dimension, in the unit of the dimension: mean absolute and root mean square error."""

    mae: dict[str, float]
    rmse: dict[str, float]


def action_error(target: Any, predicted: Any, names: Sequence[str] | None = None) -> ActionError:
    """Errors per dimension (scikit-learn).

    Args:
        target, predicted: shape [N, D], in one unit per dimension. names: of the D dimensions.

    Raises:
        EvaluationError: empty, shapes that do not match, or not finite.
    """
    a, b = pair(("target", target), ("predicted", predicted), 2)
    names = _names(names, a.shape[1])
    mae = mean_absolute_error(a, b, multioutput="raw_values")
    # scikit-learn's own root_mean_squared_error is of 1.4; Ubuntu 22.04 has 0.23.
    rmse = np.sqrt(mean_squared_error(a, b, multioutput="raw_values"))
    return ActionError(
        mae={name: float(value) for name, value in zip(names, mae, strict=True)},
        rmse={name: float(value) for name, value in zip(names, rmse, strict=True)},
    )


@dataclass(frozen=True)
class TrajectoryError:
    """Distances in the unit of the positions (m).

    ade: average displacement error, over time. fde: final displacement error. Both NaN where the
    trajectories have different lengths. dtw: dynamic time warping, sum over the warping path.
    dtw_mean: the same by the length of the longer trajectory.
    """

    ade: float
    fde: float
    dtw: float
    dtw_mean: float


def trajectory_error(reference: Any, actual: Any) -> TrajectoryError:
    """Displacement errors and dynamic time warping of two trajectories.

    After Alahi et al. 2016, "Social LSTM", and Sakoe & Chiba 1978 (by similaritymeasures, which
    rosdep does not know: imported here, the other metrics do without it).

    Args:
        reference, actual: positions over time, shapes [N, D] and [M, D].

    Raises:
        EvaluationError: empty, widths differ, not finite, or similaritymeasures is missing.
    """
    try:
        from similaritymeasures import dtw
    except ImportError as error:
        raise EvaluationError(
            f"dynamic time warping needs similaritymeasures ({error}); accepted: "
            "requirements/evaluate.txt installed"
        ) from error
    a, b = finite("reference", reference, 2), finite("actual", actual, 2)
    if a.shape[1] != b.shape[1]:
        raise EvaluationError(
            f"reference has width {a.shape[1]} and actual {b.shape[1]}; accepted: equal widths"
        )
    warped = float(dtw(a, b)[0])
    ade = fde = float("nan")
    if len(a) == len(b):
        distances = np.linalg.norm(a - b, axis=1)
        ade, fde = float(distances.mean()), float(distances[-1])
    return TrajectoryError(ade, fde, warped, warped / max(len(a), len(b)))


def tasks(names: Sequence[str], outcomes: Sequence[bool]) -> dict[str, Success]:
    """Success of every task, in the order in which they first appear, and of all ("all").

    Raises:
        EvaluationError: empty, lengths differ, or a task named "all".
    """
    same_length(names=names, outcomes=outcomes)
    if "all" in names:
        raise EvaluationError('a task is named "all"; accepted: any other name')
    result = {
        task: success([o for name, o in zip(names, outcomes, strict=True) if name == task])
        for task in dict.fromkeys(names)
    }
    return {**result, "all": success(outcomes)}


def _names(names: Sequence[str] | None, width: int) -> list[str]:
    chosen = [f"dimension_{i}" for i in range(width)] if names is None else list(names)
    if len(chosen) != width or len(set(chosen)) != width:
        raise EvaluationError(
            f"names are {json.dumps(chosen)}; accepted: {width} different names, one a dimension"
        )
    return chosen
