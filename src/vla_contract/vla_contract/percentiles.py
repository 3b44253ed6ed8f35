"""The one definition of a percentile in this project: numpy's "linear" method.

Percentile q of n sorted values lies at the rank q / 100 * (n - 1), counted from 0; between two
values it is interpolated linearly. So percentile 50 is the median. Beside an infinite value, where
linear interpolation has no answer, it is the value above. Free of ROS.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def percentiles(values: Iterable[float], *percents: float) -> tuple[float, ...]:
    """Return percentiles (0 to 100) of numbers in any order; NaN for each where there are none."""
    array = np.fromiter(values, float)
    if not len(array):
        return (math.nan,) * len(percents)
    # "linear" is numpy's default. The keyword is not named, for older versions call it otherwise.
    with np.errstate(invalid="ignore"):  # between two infinite values
        found = np.percentile(array, percents)
    if np.isnan(found).any():
        ranks = np.ceil(np.asarray(percents) / 100.0 * (len(array) - 1)).astype(int)
        found = np.where(np.isnan(found), np.sort(array)[ranks], found)
    return tuple(found.tolist())


def percentile(values: Iterable[float], percent: float) -> float:
    """Return one percentile of numbers in any order; NaN where there are none."""
    return percentiles(values, percent)[0]


def percentile_of_counts(counts: npt.NDArray[np.int64], percent: float) -> float:
    """Return the percentile of the values 0, 1, 2, … of which each occurs counts[value] times."""
    up_to = np.cumsum(counts)
    rank = percent / 100.0 * (up_to[-1] - 1)
    below, above = np.searchsorted(up_to, [np.floor(rank), np.ceil(rank)], side="right")
    return float(below + (above - below) * (rank % 1.0))
