import math
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.percentiles import percentile, percentile_of_counts, percentiles

FINITE = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


@given(FINITE, st.floats(0, 100))
def test_it_is_numpys_linear_method(values, percent):
    wanted = np.percentile(values, percent, method="linear")
    assert percentile(values, percent) == pytest.approx(wanted, abs=1e-9)


def test_between_two_values_and_at_the_ends():
    assert percentiles(deque([3.0, 1.0, 2.0, 4.0]), 0, 50, 90, 100) == pytest.approx(
        (1.0, 2.5, 3.7, 4.0)
    )
    assert percentile((float(i) for i in range(101)), 99) == 99.0


def test_no_values_have_none():
    assert all(math.isnan(value) for value in percentiles([], 50, 99))


def test_beside_an_infinite_value_it_is_the_value_above():
    assert percentiles([1.0, math.inf, math.inf, math.inf], 0, 10, 50, 99) == (
        1.0, math.inf, math.inf, math.inf,
    )  # fmt: skip
    assert percentile([0.0] * 200 + [math.inf], 99) == 0.0
    assert percentile([0.0] * 100 + [math.inf], 99) == 0.0  # at a rank of its own, below it
    assert math.isnan(percentile([1.0, math.nan], 50))


@given(st.lists(st.integers(0, 20), min_size=1, max_size=200), st.floats(0, 100))
def test_counts_are_the_values_that_they_count(values, percent):
    counts = np.bincount(values, minlength=256)
    assert percentile_of_counts(counts, percent) == pytest.approx(percentile(values, percent))
