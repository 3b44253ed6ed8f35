"""The node over DDS: what becomes of images and robot state, good and bad."""

import array
import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import JointState

from vla_contract import topics
from vla_contract.image_pixels import resize_area
from vla_interfaces.msg import Fault

FRONT, SIDE = "camera/front/image_raw", "camera/side/compressed"
PARAMETERS = {
    "cameras": ["front", "side"],
    "front.width": 16,
    "front.height": 12,
    "side.compressed": True,
    "joint_names": ["a"],
    "camera_timeout": 0.3,
    "state_timeout": 0.3,
    "startup_timeout": 1.5,
}


def both(graph) -> None:
    """Everything runs."""
    graph.robot()
    graph.front()
    graph.side()
    graph.next_observation(lambda each: list(each.image_valid) == [True, True])


def pixels(message) -> np.ndarray:
    assert message.encoding == "rgb8" and message.step == message.width * 3
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def stamp(message) -> float:
    return message.sec + message.nanosec * 1e-9


def test_a_camera_that_never_comes_gives_one_line(graph):
    """First of all: nothing runs yet."""
    graph.front()
    line = "camera side: no image on /camera/side/compressed for"
    graph.client.wait(lambda: line in graph.process.output, 60.0)
    only_front = graph.next_observation()
    assert list(only_front.image_valid) == [True, False]
    assert graph.process.output.count(line) == 1
    assert "no publisher on /camera/side/compressed" in graph.process.output
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, "camera side")
    graph.wait_for_fault(Fault.KIND_ROBOT_STATE, Fault.LEVEL_ERROR, "no publisher")


def test_two_cameras_and_the_robot_make_one_observation(graph):
    both(graph)
    seen = graph.next_observation()
    assert list(seen.camera_names) == ["front", "side"]
    assert seen.joint_state_valid and list(seen.joint_state.position) == [0.5, 1.5]
    assert not seen.command_valid and not seen.end_effector_pose_valid
    assert np.array_equal(pixels(seen.images[0]), resize_area(graph.pixels, 12, 16))
    assert np.array_equal(pixels(seen.images[1]), graph.pixels), "0 keeps the size"
    stamps = [stamp(image.header.stamp) for image in seen.images]
    assert stamp(seen.observation_stamp) == min(stamps)
    assert stamp(seen.header.stamp) >= max(stamps)
    assert abs(stamp(seen.joint_state.header.stamp) - min(stamps)) <= 0.1
    after = graph.next_observation()
    assert after.sequence > seen.sequence
    assert stamp(after.observation_stamp) > stamp(seen.observation_stamp)
    for kind in (Fault.KIND_VISION, Fault.KIND_LANGUAGE, Fault.KIND_ROBOT_STATE, Fault.KIND_CLOCK):
        fault = graph.wait_for_fault(kind, Fault.LEVEL_OK)
        assert (fault.source, fault.message) == ("perception", "")


def test_a_camera_dies_and_comes_back(graph):
    both(graph)
    graph.end_timers()
    graph.robot()
    graph.front()
    alone = graph.next_observation(lambda each: list(each.image_valid) == [True, False])
    assert (alone.images[1].height, len(alone.images[1].data)) == (0, 0)
    assert stamp(alone.observation_stamp) == stamp(alone.images[0].header.stamp)
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, "camera side: no more images")
    graph.side()
    graph.next_observation(lambda each: list(each.image_valid) == [True, True])
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_OK)


def test_without_any_camera_vision_is_lost(graph):
    both(graph)
    graph.end_timers()
    graph.robot()
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_ERROR, "no camera is left")


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("wrong_encoding", {"encoding": "32FC1"}),
        ("wrong_encoding", {"encoding": "x" * 100_000}),
        ("zero_or_huge_size", {"height": 0}),
        ("zero_or_huge_size", {"height": 2**31, "width": 2**31}),
        ("wrong_step", {"step": 5}),
        ("wrong_data_length", {"data": array.array("B", b"")}),
        ("wrong_data_length", {"data": array.array("B", bytes(48 * 64 * 3 - 1))}),
        ("future_stamp", {"stamp": Time(sec=2**31 - 1)}),
        ("out_of_order", {"stamp": Time(sec=1)}),
    ],
)
def test_bad_raw_images_are_counted_and_dropped(graph, reason, fields):
    both(graph)
    # Again and again: of a best effort stream, each one may be lost.
    graph.every(0.05, lambda: graph.publish(FRONT, graph.image(**fields)))
    graph.wait_for_count(f"front.{reason}")
    graph.next_observation(lambda each: list(each.image_valid) == [True, True])


def test_duplicates_and_zero_stamps(graph):
    both(graph)
    graph.end_timers()
    graph.robot()
    twice = graph.image()
    again = graph.every(0.05, lambda: graph.publish(FRONT, twice))
    graph.wait_for_count("front.duplicate_stamp")
    graph.end(again)
    graph.every(0.03, lambda: graph.publish(FRONT, graph.image(stamp=Time())))
    seen = graph.next_observation(lambda each: each.image_valid[0])
    assert abs(stamp(seen.observation_stamp) - stamp(graph.now())) < 5.0
    graph.wait_for_count("front.zero_stamp")


def test_truncated_and_corrupt_compressed_images(graph):
    both(graph)
    whole = graph.compressed().data.tobytes()
    for data, reason in (
        (whole[: len(whole) // 2], "corrupt"),
        (whole[:1000] + bytes(100) + whole[1100:], "corrupt"),
        (b"", "zero_or_huge_size"),
        (b"GIF89a", "wrong_encoding"),
    ):
        bad = graph.compressed(data).data
        timer = graph.every(0.05, lambda bad=bad: graph.publish(SIDE, graph.compressed(bad)))
        graph.wait_for_count(f"side.{reason}")
        graph.end(timer)
    graph.next_observation(lambda each: list(each.image_valid) == [True, True])


def test_a_camera_that_sends_only_rubbish_is_left_out_and_the_reason_told(graph):
    both(graph)
    graph.end_timers()
    graph.robot()
    graph.front()
    graph.every(0.03, lambda: graph.publish(SIDE, graph.compressed(b"rubbish")))
    graph.next_observation(lambda each: list(each.image_valid) == [True, False])
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, "what comes is refused: side: data")


@pytest.mark.parametrize("encoding", ["bgr8", "rgba8", "mono8"])
def test_other_encodings_and_padded_rows_become_rgb8(graph, encoding):
    channels = {"bgr8": 3, "rgba8": 4, "mono8": 1}[encoding]
    source = np.full((48, 64 * channels + 5), 7, np.uint8)
    source[:, : 64 * channels] = np.tile(np.arange(channels, dtype=np.uint8) * 50, 64)
    source[24:40] += 100  # a picture of one colour would be refused
    message = graph.image(encoding=encoding, step=source.shape[1])
    message.data = array.array("B", source.tobytes())
    graph.robot()
    graph.side()

    def send() -> None:
        message.header.stamp = graph.now()
        graph.publish(FRONT, message)

    graph.every(0.03, send)
    wanted = {"bgr8": [100, 50, 0], "rgba8": [0, 50, 100], "mono8": [0, 0, 0]}[encoding]
    seen = graph.next_observation(
        lambda each: all(each.image_valid) and list(each.images[0].data[:3]) == wanted
    )
    assert np.all(pixels(seen.images[0])[:6] == wanted)
    assert np.all(pixels(seen.images[0])[6:10] == np.array(wanted) + 100)


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("not_finite", {"position": [math.nan, 0.0]}),
        ("not_finite", {"position": [-math.inf, 0.5], "velocity": []}),
        ("joint_names", {"name": ["b", "c"], "position": [1.5, 0.0]}),
        ("joint_names", {"position": [0.0]}),
    ],
)
def test_bad_joint_states_are_a_fault_and_never_passed_on(graph, reason, fields):
    both(graph)
    graph.end_timers()
    graph.front()
    graph.side()
    graph.every(0.01, lambda: graph.publish("joint_states", graph.joints(**fields)))
    lost = graph.next_observation(lambda each: not each.joint_state_valid)
    assert lost.joint_state == JointState()
    graph.wait_for_fault(Fault.KIND_ROBOT_STATE, Fault.LEVEL_ERROR, "refused: joint_states")
    assert int(graph.counts()[f"dropped.joint_states.{reason}"]) > 0
    graph.end_timers()
    both(graph)
    graph.next_observation(lambda each: each.joint_state_valid)
    graph.wait_for_fault(Fault.KIND_ROBOT_STATE, Fault.LEVEL_OK)


def test_two_drivers_share_the_topic_and_the_one_that_falls_silent_is_named(graph):
    """An arm's and a gripper's, of whom each observation has the newest; their stamps cross.

    The robot rests: so the joints' values must not be taken for one another's motion.
    """
    telling = ["a", "grip"]
    late = {"a": -0.005, "grip": 0.0}
    at = {"a": 0.5, "grip": 0.1}

    def tell() -> None:
        for name in telling:
            message = graph.joints(name=[name], position=[at[name]], velocity=[math.nan])
            message.header.stamp = graph.later(late[name])
            graph.publish("joint_states", message, topics.JOINT_STATES)

    def whole(each) -> bool:
        return each.joint_state_valid and sorted(each.joint_state.name) == ["a", "grip"]

    graph.front()
    graph.side()
    graph.every(0.02, tell)
    seen = graph.next_observation(whole)
    assert dict(zip(seen.joint_state.name, seen.joint_state.position, strict=True)) == at
    assert list(seen.joint_state.velocity) == []
    graph.wait_for_fault(Fault.KIND_ROBOT_STATE, Fault.LEVEL_OK)
    telling.remove("grip")
    line = "joint_states: joint grip is silent for 0."
    graph.client.wait(lambda: line in graph.process.output, 60.0)
    graph.next_observation(
        lambda each: each.joint_state_valid and list(each.joint_state.name) == ["a"]
    )
    graph.client.wait(lambda: "joint_states.left_out.grip" in graph.counts())
    telling.append("grip")
    graph.next_observation(whole)
    telling.remove("a")  # which is required
    graph.wait_for_fault(Fault.KIND_ROBOT_STATE, Fault.LEVEL_ERROR, "no joint a (silent for 0.")
    graph.next_observation(lambda each: not each.joint_state_valid)


def test_joint_states_of_another_clock_are_named(graph):
    graph.front()
    graph.side()

    def send() -> None:
        graph.publish("joint_states", graph.joints(header=graph.image(graph.later(-0.5)).header))

    graph.every(0.01, send)
    # What follows depends on whether this machine is quiet.
    words = "joint_states: the nearest to the image is -0."
    graph.wait_for_fault(Fault.KIND_ROBOT_STATE, Fault.LEVEL_ERROR, words)
    assert not graph.next_observation().joint_state_valid


def test_bytes_that_are_no_message_end_nothing(graph):
    both(graph)
    for _ in range(5):
        graph.publisher(FRONT).publish(b"\x00\x01\x00\x00\x01\x02\x03")
        graph.publisher("joint_states").publish(b"\x00\x01\x00\x00" + b"\xff" * 40)
        graph.client.spin(0.02)
    graph.next_observation(lambda each: list(each.image_valid) == [True, True])
