"""Rotations against numpy's matrices: what goes in comes out, whichever way it is written."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_contract import rotations
from vla_contract.rotations import quaternion_problem

numbers = st.floats(-4.0, 4.0)
vectors = st.tuples(numbers, numbers, numbers)


def matrix(q):
    """Columns from the two that the module gives; the third is their cross product."""
    columns = rotations.to_columns(q)
    a, b = np.array(columns[:3]), np.array(columns[3:])
    return np.stack([a, b, np.cross(a, b)], axis=1)


def rodrigues(vector):
    """The series of the matrix exponential, summed up."""
    x, y, z = vector
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    total = term = np.eye(3)
    for k in range(1, 60):
        term = term @ skew / k
        total = total + term
    return total


@given(vectors)
def test_the_exponential_is_that_of_the_matrix(vector):
    assert np.allclose(matrix(rotations.exponential(vector)), rodrigues(vector), atol=1e-9)


@given(vectors, vectors)
def test_a_product_is_that_of_the_matrices(a, b):
    p, q = rotations.exponential(a), rotations.exponential(b)
    product = matrix(p) @ matrix(q)
    assert np.allclose(matrix(rotations.multiply(p, q)), product, atol=1e-12)
    assert np.allclose(matrix(rotations.inverse(p)), matrix(p).T, atol=1e-12)


@given(vectors)
def test_logarithm_and_columns_go_back(vector):
    q = rotations.exponential(vector)
    back = rotations.logarithm(q)
    assert math.hypot(*back) <= math.pi + 1e-12
    assert np.allclose(matrix(rotations.exponential(back)), matrix(q), atol=1e-9)
    assert rotations.logarithm(tuple(-v for v in q)) == pytest.approx(back, abs=1e-9) or (
        math.hypot(*back) > math.pi - 1e-6
    )
    for count in (3, 6):
        again = rotations.from_numbers(rotations.to_numbers(q, count))
        assert np.allclose(matrix(again), matrix(q), atol=1e-9)


@given(vectors, vectors, st.floats(0.0, 1.0))
def test_slerp_goes_evenly_by_the_shorter_way(a, b, share):
    p, q = rotations.exponential(a), rotations.exponential(b)
    whole = math.hypot(*rotations.logarithm(rotations.multiply(q, rotations.inverse(p))))
    there = rotations.slerp(p, q, share)
    part = math.hypot(*rotations.logarithm(rotations.multiply(there, rotations.inverse(p))))
    assert part == pytest.approx(share * whole, abs=1e-7)


def test_columns_are_made_orthonormal():
    q = rotations.from_columns([2.0, 0.0, 0.0, 5.0, 3.0, 0.0])
    assert np.allclose(matrix(q), np.eye(3))


@pytest.mark.parametrize(
    "columns",
    [[0.0] * 6, [1.7e308] * 3, [1.0, 0.0, 0.0, 2.0, 0.0, 0.0], [math.nan, 0.0, 0.0, 0.0, 1.0, 0.0]],
)
def test_what_spans_no_plane_is_no_rotation(columns):
    assert rotations.from_numbers(columns) is None


@pytest.mark.parametrize("numbers", [[1e200, 0.0, 0.0], [1e200, 0.0, 0.0, 0.0, 1e-5, 0.0]])
def test_no_size_is_too_large_to_be_read(numbers):
    assert math.hypot(*rotations.from_numbers(numbers)) == pytest.approx(1.0)


HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
    "quaternion",
    [(0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, -1.0), (HALF, 0.0, -HALF, 0.0), (0.0, 0.0, 0.0, 0.995)],
)
def test_a_rotation_has_length_1(quaternion):
    assert quaternion_problem(quaternion) == ""


@pytest.mark.parametrize(
    "quaternion",
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0, 2.0),
        (0.0, 0.0, 0.5, 0.5),
        (0.0, 0.0, math.nan, 1.0),
        (math.inf, 0.0, 0.0, 1.0),
        (1e200, 0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0),
        (),
    ],
)
def test_what_is_no_rotation_says_what_is_accepted(quaternion):
    problem = quaternion_problem(quaternion)
    assert problem == f"quaternion is {list(quaternion)}; accepted: x, y, z, w of length 1"
