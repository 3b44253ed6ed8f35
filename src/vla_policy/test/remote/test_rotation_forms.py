"""Forms of a rotation, there and back, and beside SciPy's."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vla_contract.rotations import IDENTITY, exponential, logarithm
from vla_policy.remote.mapping.rotation_forms import (
    FORMS,
    accumulated,
    interpolated,
    mapped_rotations,
)

AXES = st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda axis: math.hypot(*axis) > 0.01)
ANGLES = st.one_of(
    st.floats(-math.pi, math.pi),
    st.floats(-1e-6, 1e-6),
    st.floats(math.pi - 1e-6, math.pi + 1e-6),
    st.sampled_from([0.0, math.pi / 2, -math.pi / 2, math.pi]),
)


def quaternion(axis, angle):
    return exponential([angle * value / math.hypot(*axis) for value in axis])


def apart(a, b):
    """Angle between two rotations, rad, without the loss of the arc cosine."""
    return (Rotation.from_quat(a) * Rotation.from_quat(b).inv()).magnitude()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(axis=AXES, angle=ANGLES)
@example(axis=(0.0, 1.0, 0.0), angle=math.pi / 2)
@example(axis=(1.0, 0.0, 0.0), angle=math.pi)
def test_every_form_comes_back(form, axis, angle):
    q = quaternion(axis, angle)
    numbers = form.write([q])
    assert numbers.shape == (1, form.count) and numbers.dtype == np.float64
    assert apart(form.read(numbers)[0], q) < 1e-6


@pytest.mark.parametrize("name", [name for name in FORMS if "euler" in name])
@given(angles=st.tuples(*[st.floats(-3.2, 3.2)] * 3))
def test_euler_angles_are_those_of_scipy(name, angles):
    expected = Rotation.from_euler(name[-3:], angles).as_quat()
    assert apart(FORMS[name].read([angles])[0], expected) < 1e-7


@given(axis=AXES, angle=ANGLES)
def test_matrices_and_quaternions_are_those_of_scipy(axis, angle):
    q = quaternion(axis, angle)
    turned = Rotation.from_quat(q)
    matrix, found = turned.as_matrix(), turned.as_quat()
    x, y, z, w = found if found[3] >= 0 else -found
    for name, expected in (
        ("rotation_6d_columns", matrix[:, :2].T.ravel()),
        ("rotation_6d_rows", matrix[:2].ravel()),
        ("rotation_6d_pairs", matrix[:, :2].ravel()),
    ):
        assert FORMS[name].write([q])[0] == pytest.approx(expected, abs=1e-12)
    if w > 1e-9:  # at half a turn either sign is as good
        assert FORMS["quaternion_xyzw"].write([q])[0] == pytest.approx([x, y, z, w], abs=1e-12)
        assert FORMS["quaternion_wxyz"].write([q])[0] == pytest.approx([w, x, y, z], abs=1e-12)


@pytest.mark.parametrize("name", ["rotation_6d_columns", "rotation_6d_rows", "rotation_6d_pairs"])
@given(axis=AXES, angle=ANGLES, sizes=st.tuples(*[st.floats(0.1, 5.0)] * 2), lean=st.floats(-3, 3))
def test_six_numbers_need_not_be_orthonormal(name, axis, angle, sizes, lean):
    q = quaternion(axis, angle)
    order = [0, 2, 4, 1, 3, 5] if name.endswith("pairs") else range(6)
    first, second = np.split(FORMS[name].write([q])[0][list(order)], 2)
    skewed = np.concatenate([sizes[0] * first, sizes[1] * second + lean * first])
    back = np.empty(6)
    back[list(order)] = skewed
    assert apart(FORMS[name].read([back])[0], q) < 1e-6


@given(st.floats(0.01, 100.0))
def test_a_quaternion_of_any_length_and_sign_is_the_same(length):
    q = quaternion((0.1, -0.2, 0.9), 2.0)
    read = FORMS["quaternion_xyzw"].read([[-length * value for value in q]])[0]
    assert apart(read, q) < 1e-7


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("quaternion_xyzw", [0, 0, 0, 0]),
        ("quaternion_wxyz", [0, 0, 0, math.nan]),
        ("rotation_6d_columns", [1, 0, 0, 2, 0, 0]),
        ("rotation_6d_rows", [0] * 6),
        ("rotation_vector", [math.inf, 0, 0]),
    ],
)
def test_numbers_that_are_no_rotation_are_told(name, numbers):
    with pytest.raises(ValueError, match=f"is no {name}; accepted"):
        FORMS[name].read([numbers])


@pytest.mark.parametrize(("step", "expected"), [(False, [0.6, 0.6]), (True, [0.6, 0.7])])
def test_turns_are_about_the_base_from_a_start(step, expected):
    start, turn = exponential([0.0, 0.0, 0.5]), exponential([0.0, 0.0, 0.1])
    found = [logarithm(q)[2] for q in accumulated([turn, turn], start, step=step)]
    assert found == pytest.approx(expected)
    tilted = exponential([1.0, 0.0, 0.0])
    expected = Rotation.from_quat(turn) * Rotation.from_quat(tilted)
    assert apart(accumulated([turn], tilted, step=step)[0], expected.as_quat()) < 1e-9


def test_between_two_rotations_the_shorter_way_is_gone():
    rows = [exponential([0.0, 0.0, 3.0]), exponential([0.0, 0.0, -3.0])]
    found = interpolated(rows, np.array([0.0, 0.5, 1.0]))
    assert abs(logarithm(found[1])[2]) == pytest.approx(math.pi)
    assert apart(found[0], rows[0]) < 1e-9 and apart(found[2], rows[1]) < 1e-9


def test_degrees_and_no_rotation():
    entry = {"names": ["a", "b", "c"], "policy": "euler_xyz", "unit": "deg"}
    made = mapped_rotations([entry])[0]
    assert made.to_policy({"a": 0.0, "b": 0.0, "c": math.pi / 2}) == pytest.approx([0, 0, 90])
    assert logarithm(made.read_policy(np.array([[0.0, 0.0, 90.0]]))[0])[2] == pytest.approx(
        math.pi / 2
    )
    assert made.read_ours(made.at_rest()) == IDENTITY


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({}, "rotations is {}; accepted: a list"),
        ([{"names": ["a", "b", "c"]}], r"rotations\[0\] is .*; accepted: names and policy"),
        ([{"names": ["a"], "policy": "euler_xyz"}], r"\[0\].names is \['a'\]; accepted: 3 names"),
        ([{"names": ["a"], "policy": "euler_xxy"}], "policy is 'euler_xxy'; accepted: rotation_v"),
        ([{"names": ["a"], "policy": ["x"]}], r"policy is \['x'\]; accepted: rotation_vector"),
        ([{"names": ["a"], "policy": "euler_xyz", "ours": "xyz"}], r"\[0\].ours is 'xyz'; accept"),
        (
            [{"names": ["a", "b", "c"], "policy": "quaternion_xyzw", "unit": "deg"}],
            r"unit is 'deg'; accepted: rad, for quaternion_xyzw",
        ),
        (
            [{"names": ["a", "b", "c"], "policy": "euler_xyz"}] * 2,
            "rotations names a, b, c twice; accepted: each name once",
        ),
    ],
)
def test_entries_that_cannot_be_used_are_named(given_, words):
    with pytest.raises(ValueError, match=words):
        mapped_rotations(given_)
