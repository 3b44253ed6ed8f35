"""The search for a zero of a growing function."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_safety.limits.root_finding import illinois


def steep(x):
    return x**9 + 0.1 * x


@given(
    st.floats(-2.0, 2.0),
    st.floats(0.01, 3.0),
    st.floats(0.01, 3.0),
    st.booleans(),
    st.sampled_from([1e-3, 1e-9]),
)
def test_it_meets_the_zero_from_either_side(zero, before, after, turned, tolerance):
    ends = (zero - before, zero + after)
    inner, outer = ends[::-1] if turned else ends

    def function(x):
        return steep(x - zero)

    found = illinois(function, inner, outer, function(inner), function(outer), tolerance)
    assert abs(function(found)) <= tolerance
    assert ends[0] <= found <= ends[1]


def test_it_is_quick_where_the_plain_method_creeps():
    calls = []

    def function(x):
        calls.append(x)
        return math.exp(8.0 * x) - 2.0

    illinois(function, 0.0, 1.0, -1.0, function(1.0), 1e-9)
    assert len(calls) <= 20  # hundreds without halving


@pytest.mark.parametrize("turned", [False, True])
def test_a_jump_is_answered_on_the_inner_side(turned):
    sign = -1.0 if turned else 1.0

    def function(x):
        return sign if sign * x > 0.3 else -sign

    found = illinois(function, 0.0, sign, -sign, sign, 1e-9)
    assert function(found) == -sign
    assert found == pytest.approx(0.3 * sign, abs=1e-9)


def test_what_is_not_a_number_is_beyond_the_zero():
    found = illinois(lambda x: math.nan if x > 0.5 else x - 0.6, 0.0, 1.0, -0.6, 0.4, 1e-12)
    assert found <= 0.5
