"""The action space file: what is read, what is refused and with which words."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vla_contract.action_space import (
    ActionSpace,
    ActionSpaceError,
    Limits,
    Norms,
    SoftThresholds,
)

LIMITS = {"velocity": 0.5, "acceleration": 2.0, "jerk": 20.0}
DIMENSION = {
    "name": "linear_x",
    "kind": "linear_velocity",
    "unit": "m/s",
    "range": [-0.5, 0.5],
    "normal": LIMITS,
    "emergency": {**LIMITS, "acceleration": 4.0},
    "frame": "base_link",
    "output": {"topic": "cmd_vel", "type": "geometry_msgs/msg/Twist", "field": "linear.x"},
}
GRIPPER = {
    **DIMENSION,
    "name": "gripper",
    "kind": "gripper",
    "unit": "1",
    "range": [0.0, 1.0],
    "model_range": [-1.0, 2.0],
    "output": {"topic": "gripper", "type": "std_msgs/msg/Float64", "field": "data"},
}
SPACE = {
    "name": "base",
    "control_rate": 50,
    "chunk": {"length": 10, "period": 0.1},
    "braking_time": 0.5,
    "dimensions": [DIMENSION, GRIPPER],
}


def changed(path: list[object], value: object) -> dict:
    data = copy.deepcopy(SPACE)
    target = data
    for key in path[:-1]:
        target = target[key]  # type: ignore[index]
    target[path[-1]] = value  # type: ignore[index]
    return data


def test_reads_every_entry():
    space = ActionSpace.from_dict(copy.deepcopy(SPACE))
    assert (space.width, space.period, space.horizon) == (2, 0.02, 1.0)
    assert space.dimension_names == ("linear_x", "gripper")
    assert space.dimensions[0].emergency.acceleration == 4.0
    assert (space.dimensions[1].model_low, space.dimensions[1].high) == (-1.0, 1.0)


def test_a_topic_declares_its_driver_s_timeout_once():
    assert ActionSpace.from_dict(copy.deepcopy(SPACE)).driver_timeouts == {}
    data = changed(["dimensions", 0, "output", "timeout"], 0.1)
    space = ActionSpace.from_dict(copy.deepcopy(data))
    assert space.driver_timeouts == {"cmd_vel": 0.1}
    assert space == ActionSpace.from_dict(SPACE)  # it changes no action
    turn = {**DIMENSION, "name": "turn", "output": {**DIMENSION["output"], "field": "angular.z"}}
    data["dimensions"].append(copy.deepcopy(turn))
    assert ActionSpace.from_dict(copy.deepcopy(data)).driver_timeouts == {"cmd_vel": 0.1}
    data["dimensions"][-1]["output"]["timeout"] = 0.2
    with pytest.raises(ActionSpaceError, match="topic cmd_vel has timeouts 0.1 and 0.2 s"):
        ActionSpace.from_dict(data)


@pytest.mark.parametrize(
    ("timeout", "words"),
    [
        (0, "timeout is 0.0; accepted"),
        (-1.0, "above 0"),
        ("1 s", "timeout of output"),
    ],
)
def test_a_timeout_that_is_none_is_refused(timeout, words):
    with pytest.raises(ActionSpaceError, match=words):
        ActionSpace.from_dict(changed(["dimensions", 0, "output", "timeout"], timeout))


def test_normalised_output_becomes_si():
    space = ActionSpace.from_dict(copy.deepcopy(SPACE))
    np.testing.assert_allclose(space.to_si([[0.0, -1.0], [1.0, 1.0]]), [[0.0, -1.0], [0.5, 2.0]])


@given(arrays(np.float64, (3, 2), elements=st.floats(-10, 10)))
def test_normalising_is_invertible(values):
    space = ActionSpace.from_dict(copy.deepcopy(SPACE))
    np.testing.assert_allclose(space.to_normalised(space.to_si(values)), values, atol=1e-12)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["control_rate"], 0, "control_rate is 0.0; accepted: a finite number above 0"),
        (["control_rate"], "fast", "control_rate of the file is 'fast'; accepted: a number"),
        (["chunk"], {"length": 10}, "chunk lacks period"),
        (["chunk", "length"], 2.5, "length of chunk is 2.5; accepted: a whole number"),
        (["chunk", "length"], 0, "chunk length is 0; accepted: at least 1"),
        (["dimensions"], [], "dimensions is empty"),
        (["dimensions"], "x", "dimensions is not a list"),
        (["dimensions"], [DIMENSION, DIMENSION], "are not unique"),
        (["dimensions", 0, "kind"], "torque", "accepted: linear_velocity, angular_velocity"),
        (["dimensions", 0, "unit"], "km/h", "accepted for linear_velocity: m/s"),
        (["dimensions", 0, "range"], [0.5, -0.5], "two finite numbers, the lower one first"),
        (["dimensions", 0, "range"], [0.1, 0.5], "range that holds 0"),
        (["dimensions", 0, "range"], [0.1], "accepted: [low, high]"),
        (["dimensions", 0, "normal", "jerk"], -1.0, "limit jerk is -1.0"),
        (["dimensions", 0, "normal", "jerk"], float("nan"), "limit jerk is nan"),
        (["dimensions", 0, "emergency", "acceleration"], 1.0, "accepted: at least the normal one"),
        (["dimensions", 0, "output", "type"], "Twist", "accepted: geometry_msgs/msg/Twist"),
        (["dimensions", 0, "colour"], "red", "has unknown colour"),
        (["dimensions", 0, "normal", "deceleration"], 0.0, "limit deceleration is 0.0"),
        (["dimensions", 0, "normal", "deceleration"], float("nan"), "limit deceleration is nan"),
        (["dimensions", 0, "normal", "deceleration"], None, "deceleration of normal of dimensions"),
        (["dimensions", 0, "normal", "deceleration"], 9.0, "at least the normal one, 9.0"),
        (["norms"], {"linear_velocity": -1}, "norm linear_velocity is -1.0; accepted"),
        (["norms"], {"linear": 1.0}, "norms has unknown linear; accepted: linear_velocity"),
        (["norms"], 1.0, "norms is not a mapping; accepted: linear_velocity, angular_velocity"),
        (["soft"], {"distance": 0}, "soft threshold distance is 0.0; accepted"),
        (["soft"], {"angular_velocity": "x"}, "angular_velocity of soft is 'x'"),
        (["braking_time"], 0.1, "but linear_x needs"),
    ],
)
def test_refuses_and_says_what_is_accepted(path, value, words):
    with pytest.raises(ActionSpaceError) as error:
        ActionSpace.from_dict(changed(path, value))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"a: [", "not YAML"), (b"\xff\xfe\x00", "not UTF-8"), (b"- 1", "is not a mapping")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content, words):
    path = tmp_path / "robot.yaml"
    path.write_bytes(content)
    with pytest.raises(ActionSpaceError) as error:
        ActionSpace.load(path)
    assert str(path) in str(error.value)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ActionSpaceError, match="No such file"):
        ActionSpace.load(tmp_path / "none.yaml")


def test_a_written_file_is_read_back(tmp_path: Path):
    path = tmp_path / "robot.yaml"
    path.write_text(yaml.safe_dump(SPACE))
    assert ActionSpace.load(path) == ActionSpace.from_dict(copy.deepcopy(SPACE))


def test_time_to_rest_is_that_of_a_jerk_limited_profile():
    # Trapezium: 1 m/s at 2 m/s^2 and 20 m/s^3 takes v/a + a/j; triangle: 2 sqrt(v/j).
    assert Limits(1.0, 2.0, 20.0).time_to_rest() == pytest.approx(0.6)
    assert Limits(0.05, 2.0, 20.0).time_to_rest() == pytest.approx(0.1)


def test_what_is_optional_has_defaults_that_change_nothing():
    space = ActionSpace.from_dict(copy.deepcopy(SPACE))
    assert space.dimensions[0].normal.deceleration == space.dimensions[0].normal.acceleration
    assert (space.norms, space.soft) == (Norms(None, None), SoftThresholds(0.5, 0.5, 0.3))
    explicit = changed(["dimensions", 0, "normal", "deceleration"], 2.0)
    assert ActionSpace.from_dict(explicit) == space


def test_reads_deceleration_norms_and_soft_thresholds():
    data = changed(["dimensions", 0, "normal", "deceleration"], 1.5)
    data |= {"norms": {"angular_velocity": 2}, "soft": {"distance": 0.5}}
    space = ActionSpace.from_dict(data)
    assert space.dimensions[0].normal.deceleration == 1.5
    assert space.norms == Norms(None, 2.0)
    assert space.soft == SoftThresholds(distance=0.5)


def test_norms_are_part_of_what_was_trained_and_thresholds_are_not():
    plain = ActionSpace.from_dict(copy.deepcopy(SPACE))
    assert ActionSpace.from_dict(changed(["soft"], {"distance": 9.0})) == plain
    assert ActionSpace.from_dict(changed(["norms"], {"linear_velocity": 0.4})) != plain


def test_a_brake_takes_its_time_from_the_deceleration():
    assert Limits(1.0, 9.0, 20.0, 2.0).time_to_rest() == pytest.approx(0.6)


def test_dimensions_are_found_by_kind_and_axis():
    space = ActionSpace.from_dict(copy.deepcopy(SPACE))
    assert (space.linear_indices, space.angular_indices) == ((0,), ())
    assert space.linear_axes == ((0, 0),)


@pytest.mark.parametrize("name", ["arm_6dof", "mobile_base", "reference_7dof"])
def test_the_hard_ranges_of_the_reference_stand_in_the_shipped_files(name):
    space = ActionSpace.load(Path(__file__).parents[3] / f"config/action_spaces/{name}.yaml")
    ends = {"m/s": 1.0, "rad/s": 1.0, "rad": 2.0, "1": 1.0}
    for dimension in space.dimensions:
        assert max(-dimension.low, dimension.high) <= ends[dimension.unit]
        assert dimension.unit != "1" or (dimension.low, dimension.high) == (0.0, 1.0)
    joints = [d for d in space.dimensions if d.unit == "rad"]
    assert all((d.low, d.high) == (-2.0, 2.0) for d in joints)
