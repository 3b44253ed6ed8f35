"""How fast and how even: latencies of hops, jitter of periods, missed deadlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_contract.percentiles import percentile, percentiles
from vla_evaluation.metric_errors import EvaluationError, above_zero, finite


@dataclass(frozen=True)
class Latency:
    """Of one hop, s. misses, miss_rate: longer than the deadline; NaN rate without a deadline."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    maximum: float
    deadline: float
    misses: int
    miss_rate: float


def latency(values: Sequence[float], deadline: float | None = None) -> Latency:
    """Distribution of latencies.

    Args:
        values: s. deadline: s; None: there is none.

    Raises:
        EvaluationError: empty, not finite, negative, or a deadline that is not above 0.
    """
    array = finite("latency", values, 1)
    if array.min() < 0.0:
        raise EvaluationError(f"latency holds {array.min()} s; accepted: at least 0")
    misses = 0
    if deadline is not None:
        misses = int((array > above_zero("deadline", deadline, "s")).sum())
    p50, p90, p99 = percentiles(array, 50, 90, 99)
    return Latency(
        count=len(array),
        mean=float(array.mean()),
        p50=p50,
        p90=p90,
        p99=p99,
        maximum=float(array.max()),
        deadline=float("nan") if deadline is None else deadline,
        misses=misses,
        miss_rate=float("nan") if deadline is None else misses / len(array),
    )


@dataclass(frozen=True)
class Jitter:
    """Of periods, s: nominal and mean; mean, 99th percentile and greatest |period - nominal|.

    periods: how many. late: those longer than one and a half nominal ones.
    """

    periods: int
    nominal: float
    mean_period: float
    mean: float
    p99: float
    maximum: float
    late: int


def jitter(stamps: Sequence[float], nominal: float | None = None) -> Jitter:
    """Unevenness of a periodic stream.

    Args:
        stamps: s, growing. nominal: period, s; None: the median period.

    Raises:
        EvaluationError: fewer than two stamps, not finite, or stamps that go back.
    """
    array = finite("stamps", stamps, 1)
    if len(array) < 2:
        raise EvaluationError(f"{len(array)} stamps; accepted: at least 2")
    periods = np.diff(array)
    if periods.min() < 0.0:
        raise EvaluationError(
            f"stamps go back at entry {int(periods.argmin()) + 1}; accepted: growing stamps"
        )
    wanted = float(np.median(periods)) if nominal is None else above_zero("nominal", nominal, "s")
    error = np.abs(periods - wanted)
    return Jitter(
        periods=len(periods),
        nominal=wanted,
        mean_period=float(periods.mean()),
        mean=float(error.mean()),
        p99=percentile(error, 99),
        maximum=float(error.max()),
        late=int((periods > 1.5 * wanted).sum()),
    )
