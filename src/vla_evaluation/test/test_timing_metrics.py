import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_evaluation.metric_errors import EvaluationError
from vla_evaluation.timing_metrics import jitter, latency


def test_percentiles_are_numpys_and_misses_are_counted():
    result = latency([0.001 * i for i in range(101)], deadline=0.09)
    assert (result.p50, result.p90, result.p99) == pytest.approx((0.05, 0.09, 0.099))
    assert result.misses == 10 and result.miss_rate == pytest.approx(10 / 101)
    assert math.isnan(latency([0.1]).miss_rate)


@given(st.lists(st.floats(0, 10), min_size=1))
def test_percentiles_are_ordered(values):
    result = latency(values)
    assert result.p50 <= result.p90 + 1e-12 <= result.p99 + 2e-12 <= result.maximum + 3e-12


@given(st.floats(0.001, 1.0), st.integers(2, 50))
def test_an_even_stream_has_no_jitter(period, count):
    result = jitter(np.arange(count) * period)
    assert result.maximum == pytest.approx(0.0, abs=1e-9) and result.late == 0


def test_a_gap_is_late():
    result = jitter([0.0, 0.1, 0.2, 0.4, 0.5], nominal=0.1)
    assert result.late == 1
    assert result.maximum == pytest.approx(0.1)
    assert result.mean == pytest.approx(0.025)


@pytest.mark.parametrize(
    "call",
    [
        lambda: latency([]),
        lambda: latency([-0.1]),
        lambda: latency([math.nan]),
        lambda: latency([0.1], deadline=0.0),
        lambda: jitter([1.0]),
        lambda: jitter([1.0, 0.5]),
        lambda: jitter([1.0, 2.0], nominal=-1.0),
    ],
)
def test_bad_times_are_errors(call):
    with pytest.raises(EvaluationError, match="accepted"):
        call()
