"""Rotations and boxes that a changed sign or factor would get wrong."""

import math

import pytest

from vla_proof.bench.core_bench_cases import arm_space
from vla_safety.surroundings.workspace import Workspace, _turned, quaternion_rotation, yaw_rotation


def times(a, b):
    """Product of two quaternions x, y, z, w."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


@pytest.mark.parametrize("size", [1.0, 0.5, 3.0])
@pytest.mark.parametrize(
    "quaternion",
    [(0.1, 0.2, 0.3, 0.9), (-0.4, 0.3, 0.2, 0.5), (0.7, -0.1, 0.4, -0.2), (0.0, 0.0, 0.0, 1.0)],
)
def test_a_rotation_is_the_product_with_the_quaternion(quaternion, size):
    length = math.sqrt(sum(v * v for v in quaternion))
    x, y, z, w = (v / length for v in quaternion)
    found = quaternion_rotation(*(v / length * size for v in quaternion))
    for column, unit in enumerate(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))):
        expected = times(times((x, y, z, w), (*unit, 0.0)), (-x, -y, -z, w))[:3]
        assert [row[column] for row in found] == pytest.approx(expected)


@pytest.mark.parametrize("quaternion", [(0.0,) * 4, (math.inf, 0.0, 0.0, 1.0), (math.nan,) * 4])
def test_what_is_no_rotation_is_nan_throughout(quaternion):
    assert all(math.isnan(v) for row in quaternion_rotation(*quaternion) for v in row)


def test_a_yaw_is_a_rotation_about_z():
    half = 0.35
    expected = quaternion_rotation(0.0, 0.0, math.sin(half), math.cos(half))
    for row, other in zip(yaw_rotation(0.7), expected, strict=True):
        assert row == pytest.approx(other)


@pytest.mark.parametrize(
    ("low", "high"), [((0.0, 0.0), (1.0, 1.0, 1.0)), ((0.0, 0.0, 0.0), (1.0, 1.0)), ((), ())]
)
def test_a_box_has_three_sides(low, high):
    with pytest.raises(ValueError, match="accepted: x, y, z each"):
        Workspace(low, high, "f")


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_side_must_have_a_length(k):
    low, high = [0.0] * 3, [1.0] * 3
    high[k] = 0.0
    with pytest.raises(ValueError, match=f"workspace in {'xyz'[k]} "):
        Workspace(tuple(low), tuple(high), "f")


@pytest.mark.parametrize("turn", [0.1, 0.9, 2.0, 4.0])
@pytest.mark.parametrize(
    ("along", "across"),
    [(1.0, 0.0), (0.3, 0.8), (-0.6, 0.2), (0.5, -0.7), (-0.1, -0.9), (0.0, 1.0)],
)
def test_the_ends_of_a_turned_component_are_those_of_all_turns(along, across, turn):
    angles = [turn * k / 2000 for k in range(-2000, 2001)]
    components = [along * math.cos(a) + across * math.sin(a) for a in angles]
    least, greatest = _turned(along, across, turn)
    assert least == pytest.approx(min(components), abs=1e-5)
    assert greatest == pytest.approx(max(components), abs=1e-5)


def test_a_component_that_does_not_turn_is_what_it_is():
    assert _turned(0.3, 0.8, 0.0) == (0.3,)


def test_a_still_robot_has_all_of_its_way_left():
    box = Workspace((0.0, 0.0, 0.0), (1.0, 2.0, 3.0), "f")
    space = arm_space()
    found = {b.name: b.remaining for b in box.boundaries((0.25, 0.5, 1.0), space)}
    assert found == {
        "x low": 0.25, "x high": 0.75, "y low": 0.5, "y high": 1.5, "z low": 1.0, "z high": 2.0,
    }  # fmt: skip
    moving = box.boundaries((0.25, 0.5, 1.0), space, speed=0.5, latency=0.2)
    assert moving[0].remaining == pytest.approx(0.15)
