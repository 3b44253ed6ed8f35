"""Joint states of an observation, from one driver or from several."""

import math

import pytest
from sensor_msgs.msg import JointState

from vla_contract.stamps import to_nanoseconds, to_time
from vla_perception.observe.joint_stream import JointStream
from vla_perception.observe.stamped_streams import Drop, Refused

MS = 1_000_000
TIMEOUT = 500 * MS
NAN = math.nan


def joints(stamp, name, position, **fields):
    message = JointState(name=name, position=position, **fields)
    message.header.stamp = to_time(stamp)
    return message


def told(stream, stamp, *arguments, **fields):
    message = joints(stamp, *arguments, **fields)
    stream.check_stamp(message, stamp, stamp)
    return stream.convert(message, stamp)


def reason(stream, *arguments, **fields):
    with pytest.raises(Refused) as refused:
        told(stream, *arguments, **fields)
    return refused.value.reason, str(refused.value)


def test_a_message_of_all_joints_is_passed_on_as_it_is():
    stream = JointStream(["a"], TIMEOUT, None)
    message = joints(MS, ["a", "b"], [0.5, 1.5], velocity=[NAN, 1.0], effort=[NAN, NAN])
    assert stream.convert(message, MS) is message


def test_two_drivers_make_one_state_whose_stamp_is_the_newest():
    stream = JointStream(["arm", "gripper"], TIMEOUT, 100 * MS)
    assert reason(stream, 1000 * MS, ["arm"], [1.0]) == (
        Drop.NAMES, "no joint gripper; it has arm",
    )  # fmt: skip
    whole = told(stream, 1000 * MS, ["gripper"], [0.1], velocity=[0.5])
    assert (list(whole.name), list(whole.position)) == (["arm", "gripper"], [1.0, 0.1])
    assert math.isnan(whole.velocity[0]) and whole.velocity[1] == 0.5
    told(stream, 1020 * MS, ["gripper"], [0.2])
    crossed = told(stream, 1010 * MS, ["arm"], [1.1])
    assert list(crossed.position) == [1.1, 0.2]
    assert to_nanoseconds(crossed.header.stamp) == 1020 * MS
    duplicate = joints(1010 * MS, ["arm"], [1.1])
    with pytest.raises(Refused, match="came twice"):
        stream.check_stamp(duplicate, 1010 * MS, 1020 * MS)


def test_a_joint_that_falls_silent_is_left_out_or_if_it_is_required_named():
    free, bound = JointStream([], TIMEOUT, None), JointStream(["gripper"], TIMEOUT, None)
    for stream in (free, bound):
        told(stream, 1000 * MS, ["gripper"], [0.1])
    assert list(told(free, 1501 * MS, ["arm"], [1.0]).name) == ["arm"]
    assert free.values(1501 * MS) == {"joint_states.left_out.gripper": "silent for 0.5 s"}
    assert list(free.newly_silent(1501 * MS)) == ["gripper"]
    assert free.newly_silent(1600 * MS) == {}, "said once"
    assert reason(bound, 1700 * MS, ["arm"], [1.0]) == (
        Drop.NAMES, "no joint gripper (silent for 0.7 s); it has arm",
    )  # fmt: skip
    assert list(told(bound, 1710 * MS, ["gripper"], [0.2]).position) == [0.2, 1.0]


def test_a_joint_that_nobody_needs_refuses_nothing():
    stream = JointStream(["arm"], TIMEOUT, None)
    whole = told(stream, MS, ["arm", "wheel", "free"], [1.0, NAN, 2.0])
    assert (list(whole.name), list(whole.position)) == (["arm", "free"], [1.0, 2.0])
    assert stream.values(MS) == {
        "joint_states.left_out.wheel": "is at nan; accepted: a finite position"
    }
    told(stream, 2 * MS, ["arm", "wheel", "free"], [1.0, 3.0, 2.0])
    assert stream.values(2 * MS) == {}


@pytest.mark.parametrize(
    ("name", "position", "required", "expected"),
    [
        (["a", "b"], [0.0], ["a"], Drop.NAMES),
        (["a", "b"], [], ["a"], Drop.NAMES),
        (["a", "b"], [], [], Drop.NAMES),
        (["a", "a"], [0.0, 1.0], ["a"], Drop.NAMES),
        (["a", "b"], [0.0, 1.0], ["c"], Drop.NAMES),
        ([], [NAN], [], Drop.NAMES),
        (["a", "b"], [NAN, 0.0], ["a"], Drop.NOT_FINITE),
        (["a", "b"], [math.inf, NAN], [], Drop.NOT_FINITE),
    ],
)
def test_what_is_refused(name, position, required, expected):
    found, words = reason(JointStream(required, TIMEOUT, None), MS, name, position)
    assert found is expected and "\n" not in words


def test_what_is_refused_is_told_with_the_joint_and_its_cause():
    assert reason(JointStream(["a"], TIMEOUT, None), MS, ["a", "b"], [NAN, 0.0]) == (
        Drop.NOT_FINITE, "joint a is at nan; accepted: a finite position",
    )  # fmt: skip
    found = reason(JointStream([], TIMEOUT, None), MS, ["a", "a"], [0.0, 1.0])
    assert found[0] is Drop.NAMES and "a" in found[1] and "None" not in found[1]
    assert reason(JointStream([], TIMEOUT, None), MS, ["x" * 90], [NAN]) == (
        Drop.NOT_FINITE, f"joint {'x' * 60} is at nan; accepted: a finite position",
    )  # fmt: skip


def test_a_state_that_is_put_together_keeps_the_header_of_its_message():
    stream = JointStream([], TIMEOUT, None)
    told(stream, 1000 * MS, ["gripper"], [0.1])
    message = joints(1010 * MS, ["arm"], [1.0])
    message.header.frame_id = "base"
    whole = stream.convert(message, 1010 * MS)
    assert whole.header.frame_id == "base" and to_nanoseconds(whole.header.stamp) == 1010 * MS


def test_a_stamp_ahead_of_the_clock_is_refused_up_to_the_tolerance():
    message = joints(1101 * MS, ["arm"], [1.0])
    with pytest.raises(Refused, match="ahead"):
        JointStream([], TIMEOUT, 100 * MS).check_stamp(message, 1101 * MS, 1000 * MS)
    JointStream([], TIMEOUT, None).check_stamp(message, 1101 * MS, 1000 * MS)


def test_a_driver_of_a_thousand_broken_joints_fills_no_diagnostics():
    stream = JointStream(["arm"], TIMEOUT, None)
    for number in range(70):
        told(stream, (number + 1) * MS, ["arm", f"j{number}"], [0.0, NAN])
    assert len(stream.values(71 * MS)) == 64


def test_in_lock_step_each_message_tells_all_of_its_tick():
    stream = JointStream(["arm", "gripper"], 0, None)
    told(stream, MS, ["arm", "gripper"], [1.0, 0.1])
    assert reason(stream, 2 * MS, ["arm"], [1.0])[1] == "no joint gripper; it has arm"
    assert stream.values(5 * MS) == {}


def test_a_jump_of_the_clock_forgets_everything():
    stream = JointStream([], TIMEOUT, 100 * MS)
    told(stream, 5000 * MS, ["gripper"], [0.1])
    stream.forget()
    assert list(told(stream, 10 * MS, ["arm"], [1.0]).name) == ["arm"]
