"""What counts as moved right, and in which frame."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_cli.doctor.axis_motion import Outcome, Pose, amount, displacement, judge, told
from vla_contract.action_space import ActionSpace

SPACE = ActionSpace.load(
    Path(__file__).resolve().parents[4] / "config" / "action_spaces" / "mobile_base.yaml"
)
LEFT = (0.0, 0.0, math.sin(math.pi / 4), math.cos(math.pi / 4))  # a quarter turn about z


@pytest.mark.parametrize(
    ("measured", "outcome"),
    [
        ((0.1, 0.0, 0.0), Outcome.RIGHT),
        ((0.08, 0.03, -0.02), Outcome.RIGHT),
        ((-0.1, 0.0, 0.0), Outcome.WRONG_SIGN),
        ((0.0, 0.1, 0.0), Outcome.OTHER_AXIS),
        ((0.02, 0.0, -0.09), Outcome.OTHER_AXIS),
        ((1.0, 0.0, 0.0), Outcome.WRONG_SCALE),
        ((0.01, 0.01, 0.0), Outcome.NOT_MOVED),
        (None, Outcome.NOT_MEASURED),
    ],
)
def test_outcomes(measured, outcome):
    assert judge(0.1, measured) is outcome


@given(st.floats(0.01, 1.0), st.sampled_from([-1.0, 1.0]), st.integers(0, 2))
def test_the_same_is_right_and_its_mirror_is_not(size, sign, index):
    measured = [0.0, 0.0, 0.0]
    measured[index] = size * sign
    assert judge(size * sign, measured, index) is Outcome.RIGHT
    assert judge(-size * sign, measured, index) is Outcome.WRONG_SIGN
    assert judge(size * sign, measured, (index + 1) % 3) is Outcome.OTHER_AXIS


def test_a_base_that_looks_left_drives_forwards_along_its_own_x():
    before = Pose((1.0, 1.0, 0.0), LEFT, "odom")
    after = Pose((1.0, 1.2, 0.0), LEFT, "odom")
    assert displacement(before, after, "linear", "base_link") == pytest.approx((0.2, 0.0, 0.0))
    assert displacement(before, after, "linear", "odom") == pytest.approx((0.0, 0.2, 0.0))


def test_turning_is_a_rotation_vector():
    none = Pose((0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0), "odom")
    turned = dataclasses.replace(none, rotation=LEFT)
    for frame in ("odom", "base_link"):
        moved = displacement(none, turned, "angular", frame)
        assert moved == pytest.approx((0.0, 0.0, math.pi / 2))
    assert displacement(turned, none, "angular", "odom")[2] == pytest.approx(-math.pi / 2)
    assert displacement(turned, turned, "angular", "odom") == (0.0, 0.0, 0.0)


def test_words_for_a_person():
    forward, turn = SPACE.dimensions
    assert told(forward, 1.0) == "along +x of base_link: forwards"
    assert told(turn, -1.0) == "about -z of base_link: turning right"
    assert amount(forward, 0.06) == "6.0 cm"
    assert amount(turn, -math.pi / 18) == "10.0 degrees"
