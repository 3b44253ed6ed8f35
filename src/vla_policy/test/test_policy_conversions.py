import array
import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image

from vla_interfaces.msg import Observation
from vla_policy.inference.inference import Chunk
from vla_policy.policy_conversions import (
    ConversionError,
    chunk_to_message,
    observation_from_message,
)


def image(height=2, width=3, padding=0, encoding="rgb8", cut=0):
    step = width * 3 + padding
    rows = np.arange(height * step, dtype=np.uint8)
    data = array.array("B", rows.tobytes()[: height * step - cut])
    return Image(height=height, width=width, step=step, encoding=encoding, data=data)


def message(images=None, valid=(True,)):
    result = Observation(sequence=7, camera_names=[f"camera{i}" for i in range(len(valid))])
    result.observation_stamp = Time(sec=3, nanosec=5)
    result.images = [image()] if images is None else images
    result.image_valid = list(valid)
    result.joint_state.name, result.joint_state.position = ["elbow", "wrist"], [0.1, 0.2]
    result.joint_state_valid = True
    result.end_effector_pose.pose.position.y = 0.6
    result.end_effector_pose_valid = True
    result.command.text, result.command.command_id = "open the drawer", 4
    result.command_valid = True
    return result


def test_an_observation():
    observation = observation_from_message(message())
    assert (observation.stamp, observation.sequence) == (3_000_000_005, 7)
    assert (observation.command_id, observation.command) == (4, "open the drawer")
    assert observation.state == {
        "elbow": 0.1,
        "wrist": 0.2,
        "end_effector.x": 0.0,
        "end_effector.y": 0.6,
        "end_effector.z": 0.0,
        "end_effector.rotation_x": 0.0,
        "end_effector.rotation_y": 0.0,
        "end_effector.rotation_z": 0.0,
    }
    assert observation.images[0].tolist() == np.arange(18).reshape(2, 3, 3).tolist()


def test_what_is_not_valid_is_left_out():
    source = message(images=[image(), Image()], valid=(True, False))
    source.joint_state_valid = source.end_effector_pose_valid = source.command_valid = False
    observation = observation_from_message(source)
    assert observation.images[1] is None
    assert (observation.state, observation.command) == ({}, None)


def test_an_orientation_is_a_rotation_vector_and_left_out_where_it_is_none():
    source = message()
    turned = source.end_effector_pose.pose.orientation
    turned.z, turned.w = math.sin(0.25), math.cos(0.25)
    names = [f"end_effector.rotation_{axis}" for axis in "xyz"]
    state = observation_from_message(source).state
    assert [state[name] for name in names] == pytest.approx([0.0, 0.0, 0.5])
    turned.z = turned.w = 0.0
    assert not {*names} & {*observation_from_message(source).state}


def test_padded_rows():
    padded = observation_from_message(message([image(padding=5)])).images[0]
    assert padded.tolist() == np.arange(28).reshape(2, 14)[:, :9].reshape(2, 3, 3).tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        image(encoding="mono8"),
        image(cut=1),
        image(height=0),
        image(width=0),
        Image(encoding="rgb8", height=2, width=2, step=6),
        Image(encoding="rgb8", height=2, width=2, step=0),
        Image(),
    ],
)
def test_images_that_are_not_whole(wrong):
    with pytest.raises(ConversionError, match="image of camera0 .* accepted: ") as info:
        observation_from_message(message([wrong]))
    assert "\n" not in str(info.value)


def test_lists_that_differ_in_length():
    source = message()
    source.image_valid = []
    with pytest.raises(ConversionError, match="1 camera_names, 0 image_valid and 1 images"):
        observation_from_message(source)
    source = message()
    source.joint_state.position = [0.0]
    with pytest.raises(ConversionError, match="2 names and 1 positions"):
        observation_from_message(source)


def test_a_chunk(space):
    actions = np.arange(8.0).reshape(2, 4)
    chunk = Chunk(actions, progress=0.5, inference_time=0.01, chunks_before_done=7)
    result = chunk_to_message(chunk, message(), space)
    assert result.observation_stamp == Time(sec=3, nanosec=5)
    assert (result.observation_sequence, result.command_id) == (7, 4)
    assert result.command == "open the drawer"
    assert result.actions.tolist() == actions.ravel().tolist()
    assert (result.action_space, result.period) == ("metaworld", 0.0125)
    assert list(result.dimension_names) == list(space.dimension_names)
    assert (result.progress, result.inference_time, result.done) == (0.5, 0.01, False)
    assert result.chunks_before_done == 7
    assert math.isnan(result.confidence)


def test_an_empty_chunk_without_a_command(space):
    source = message()
    source.command_valid = False
    result = chunk_to_message(Chunk(np.empty((0, 4))), source, space)
    assert (len(result.actions), result.command_id, result.command) == (0, 0, "")
