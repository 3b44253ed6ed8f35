"""The points at which the search looks, by hand."""

import pytest

from vla_safety.limits.root_finding import illinois


def test_an_end_that_stays_twice_is_halved_and_only_then():
    tried = []

    def cubic(x):
        tried.append(x)
        return x**3 - 0.5

    found = illinois(cubic, 0.0, 1.0, -0.5, 0.5, 1e-9)
    assert found**3 == pytest.approx(0.5)
    at = [0.5]
    at.append(1.0 - 0.5 * 0.5 / (0.5 + 0.375))
    inner = cubic(at[1])
    at.append(1.0 - 0.25 * (1.0 - at[1]) / (0.25 - inner))  # the second on this side
    outer = cubic(at[2])
    at.append(at[2] - outer * (at[2] - at[1]) / (outer - inner))  # the first on the other
    assert tried[:4] == pytest.approx(at, abs=1e-12)
