"""Statistics of features as LeRobot keeps them: of each episode, and of all together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.percentiles import percentile_of_counts, percentiles

Statistics = dict[str, npt.NDArray[np.float64]]

QUANTILES = {"q01": 1, "q10": 10, "q50": 50, "q90": 90, "q99": 99}  # name → percent
_FRAMES = 100  # of an episode that are looked at, as LeRobot does


def of_values(values: npt.NDArray[Any]) -> Statistics:
    """Of a numeric feature, (F,) or (F, n): arrays of shape (n,), count (1,)."""
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    quantiles = [percentiles(column, *QUANTILES.values()) for column in rows.T]
    return {
        "min": rows.min(0),
        "max": rows.max(0),
        "mean": rows.mean(0),
        "std": rows.std(0),
        "count": np.array([len(rows)], np.float64),
        **dict(zip(QUANTILES, np.array(quantiles).T, strict=True)),
    }


def of_images(frames: npt.NDArray[np.uint8]) -> Statistics:
    """Of a camera's frames (F, h, w, 3): per channel, 0 to 1, arrays of shape (3, 1, 1)."""
    step = -(-len(frames) // _FRAMES)
    seen = frames[::step]
    # What `of_values` gives for the pixels, from how often each of the 256 values occurs.
    counts = [np.bincount(seen[..., channel].ravel(), minlength=256) for channel in range(3)]
    channels = [_of_counts(channel) for channel in counts]
    shaped = {
        name: np.array([found[name] for found in channels]).reshape(-1, 1, 1) / 255.0
        for name in channels[0]
    }
    return {**shaped, "count": np.array([len(seen)], np.float64)}


def _of_counts(counts: npt.NDArray[np.int64]) -> dict[str, float]:
    """Of values 0 to 255 that occur so often; quantiles as `of_values`'s."""
    values = np.arange(256.0)
    total = counts.sum()
    mean = float(counts @ values / total)
    (there,) = counts.nonzero()
    return {
        "min": float(there[0]),
        "max": float(there[-1]),
        "mean": mean,
        "std": float(np.sqrt(counts @ (values - mean) ** 2 / total)),
        **{name: percentile_of_counts(counts, share) for name, share in QUANTILES.items()},
    }


def together(parts: Sequence[Statistics]) -> Statistics:
    """Of several episodes; quantiles are their weighted mean, as LeRobot aggregates them."""
    counts = np.stack([part["count"] for part in parts])
    total = counts.sum(0)

    def mean(values: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        stacked = np.stack(values)
        weights = counts.reshape(len(parts), *([1] * (stacked.ndim - 1)))
        return np.asarray((stacked * weights).sum(0) / total[0])

    middle = mean([part["mean"] for part in parts])
    spread = mean([part["std"] ** 2 + (part["mean"] - middle) ** 2 for part in parts])
    return {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": middle,
        "std": np.sqrt(spread),
        "count": total,
        **{name: mean([part[name] for part in parts]) for name in QUANTILES},
    }


def as_lists(statistics: Statistics) -> dict[str, Any]:
    """For JSON and Parquet; the count is whole."""
    return {
        name: [int(value[0])] if name == "count" else value.tolist()
        for name, value in statistics.items()
    }


def as_arrays(lists: dict[str, Any]) -> Statistics:
    """Inverse of `as_lists`."""
    return {name: np.asarray(value, np.float64) for name, value in lists.items()}
