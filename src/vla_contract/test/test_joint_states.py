"""Joint states as drivers publish them: parts of the robot, and NaN where nothing is measured."""

import math
from types import SimpleNamespace

import pytest

from vla_contract.joint_states import (
    MOST_JOINTS,
    MOST_PUBLISHERS,
    Joint,
    JointStateError,
    JointTable,
    NotFiniteError,
    PerPublisher,
    message_fields,
    read_joints,
)

NAN, INF = math.nan, math.inf


def message(name, position, velocity=(), effort=()):
    return SimpleNamespace(name=name, position=position, velocity=velocity, effort=effort)


def test_what_is_not_measured_is_not_known_and_refuses_nothing():
    read = read_joints(message(["a", "b"], [0.5, 1.5], [NAN, 2.0], [INF, NAN]), ["a", "b"])
    assert read.left_out == {}
    assert read.joints["b"][:2] == (1.5, 2.0) and math.isnan(read.joints["b"].effort)
    assert math.isnan(read.joints["a"].velocity)
    for velocity in ((), (1.0,), (1.0, 2.0, 3.0)):
        read = read_joints(message(["a", "b"], [0.5, 1.5], velocity))
        assert math.isnan(read.joints["a"].velocity)


def test_only_the_joints_that_are_needed_refuse_a_message():
    odd = message(["arm", "wheel", "twin", "twin"], [0.5, NAN, 0.0, 1.0])
    read = read_joints(odd, ["arm", "elsewhere"])
    assert {name: joint.position for name, joint in read.joints.items()} == {"arm": 0.5}
    assert read.left_out == {
        "wheel": "is at nan; accepted: a finite position",
        "twin": "is named 2 times",
    }
    assert read_joints(odd).joints == read.joints
    assert read_joints(message(["wheel"], [1.0, 2.0]), ["arm"]).joints == {}
    assert read_joints(message(["wheel"], [], [1.0]), ["arm"]).left_out["wheel"]


@pytest.mark.parametrize(
    ("given", "needed", "error", "words"),
    [
        (message([], []), (), JointStateError, "names no joint"),
        (message([], [NAN]), (), JointStateError, "names no joint"),
        (message(["a", "b"], [0.0]), (), JointStateError, r"2 names and 1 positions \(joint b has"),
        (message(["a", "b"], [0.0]), ("a",), JointStateError, "joint b has none"),
        (message(["a"], [0.0, 1.0]), ("a",), JointStateError, "1 names and 2 positions"),
        (message(["a", "b", "a"], [0.0] * 3), ("a",), JointStateError, "joint a is named 2 times"),
        (message(["a", "b"], []), ("b",), JointStateError, "joint b has no position"),
        (message(["a", "b"], [0.0, NAN]), ("b",), NotFiniteError, "joint b is at nan; accepted"),
        (message(["a", "b"], [-INF, 0.0]), ("a",), NotFiniteError, "joint a is at -inf"),
    ],
)
def test_what_is_refused_names_the_joint(given, needed, error, words):
    with pytest.raises(JointStateError, match=words) as refused:
        read_joints(given, needed)
    assert refused.type is error


def joint(position):
    return Joint(position, NAN, NAN)


def test_the_state_of_each_joint_is_the_newest_that_came_of_it():
    table = JointTable(timeout=100)
    table.add({"arm": joint(1.0), "wrist": joint(2.0)}, 1000)
    table.add({"gripper": joint(0.1)}, 1010)
    table.add({"arm": joint(1.1), "wrist": joint(2.1)}, 1020)
    together, newest = table.together(1020)
    assert {name: each.position for name, each in together.items()} == {
        "arm": 1.1, "wrist": 2.1, "gripper": 0.1,
    }  # fmt: skip
    assert newest == 1020
    table.add({"gripper": joint(0.2)}, 1005)  # of a driver whose clock is behind
    assert table.together(1005)[1] == 1020 and table.together(1005)[0]["gripper"].position == 0.2


def test_a_joint_that_falls_silent_is_named_with_its_age_while_the_others_go_on():
    table = JointTable(timeout=100)
    table.add({"arm": joint(1.0)}, 1000)
    table.add({"gripper": joint(0.1)}, 1000)
    table.add({"arm": joint(1.1)}, 1101)
    assert table.silent(1100) == {}
    assert list(table.together(1101)[0]) == ["arm"]
    assert table.silent(1101) == {"gripper": 101}
    assert table.silent(5000) == {}, "the whole topic is silent, and not a joint"
    table.forget()
    assert table.together(1101) == ({}, 1101)


def test_made_up_names_do_not_fill_the_memory():
    table = JointTable()
    gates = PerPublisher(list)
    for number in range(2 * MOST_JOINTS):
        table.add({f"joint_{number}": joint(0.0)}, 1)
        gates.of([f"joint_{number}"])
    assert len(table.together(1)[0]) <= MOST_JOINTS + 1
    assert len(gates._states) == MOST_PUBLISHERS
    assert gates.of(["x", "y"]) is gates.of(("x", "y")) is not gates.of(["x"])


def test_fields_of_a_message_hold_what_is_known():
    joints = {"a": Joint(0.5, NAN, NAN), "b": Joint(1.5, 2.0, NAN)}
    fields = message_fields(joints)
    assert fields["name"] == ["a", "b"] and fields["position"] == [0.5, 1.5]
    assert math.isnan(fields["velocity"][0]) and fields["velocity"][1] == 2.0
    assert fields["effort"] == []
    back = read_joints(SimpleNamespace(**fields)).joints
    assert list(back) == ["a", "b"] and back["b"].velocity == 2.0
