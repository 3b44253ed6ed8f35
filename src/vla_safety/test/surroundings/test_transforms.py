"""Rigid transforms: rotations stay rotations, and ways back lead back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_safety.surroundings.transforms import (
    Transform,
    TransformError,
    matrix_quaternion,
    quaternion_from_rpy,
    quaternion_matrix,
)

numbers = st.floats(-3.0, 3.0)
triples = st.tuples(numbers, numbers, numbers)
transforms = st.builds(Transform.from_rpy, triples, triples)


def same(a, b):
    return np.allclose(a.rotation, b.rotation, atol=1e-9) and np.allclose(
        a.translation, b.translation, atol=1e-9
    )


def turn(axis, angle):
    c, s = math.cos(angle), math.sin(angle)
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


@given(triples)
def test_rpy_turns_about_the_fixed_axes_in_this_order(rpy):
    roll, pitch, yaw = rpy
    wanted = turn("z", yaw) @ turn("y", pitch) @ turn("x", roll)
    assert np.allclose(quaternion_matrix(quaternion_from_rpy(*rpy)), wanted, atol=1e-9)


@given(transforms)
def test_a_rotation_is_one(transform):
    rotation = transform.rotation
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert np.allclose(quaternion_matrix(matrix_quaternion(rotation)), rotation, atol=1e-9)
    assert transform.quaternion[3] >= 0.0


@given(transforms, transforms, transforms)
def test_it_is_a_group(a, b, c):
    assert same(a.compose(b).compose(c), a.compose(b.compose(c)))
    assert same(a.compose(a.inverse()), Transform.identity())
    assert same(a.inverse().inverse(), a)


@given(transforms, transforms, st.lists(triples, min_size=1, max_size=4))
def test_composing_is_applying_the_inner_one_first(outer, inner, points):
    points = np.array(points)
    assert np.allclose(
        outer.compose(inner).apply(points), outer.apply(inner.apply(points)), atol=1e-9
    )


@given(st.floats(-3.1, 3.1))
def test_yaw(angle):
    assert Transform.from_rpy((0, 0, 0), (0, 0, angle)).yaw == pytest.approx(angle)


def test_a_quaternion_is_rounded_to_length_1():
    matrix = quaternion_matrix((0.0, 0.0, 0.5, 0.87))  # length 1.0034
    assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)


@pytest.mark.parametrize(
    ("translation", "quaternion"),
    [
        ((0, 0, 0), (0, 0, 0, 0)),
        ((0, 0, 0), (0, 0, 0, 2.0)),
        ((0, 0, 0), (0, 0, math.nan, 1)),
        ((0, 0, 0), (0, 0, 1)),
        ((0, math.inf, 0), (0, 0, 0, 1)),
        ((0, 0), (0, 0, 0, 1)),
    ],
)
def test_what_is_no_transform(translation, quaternion):
    with pytest.raises(TransformError, match="accepted"):
        Transform.from_quaternion(translation, quaternion)
