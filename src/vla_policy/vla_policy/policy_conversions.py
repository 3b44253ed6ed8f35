"""Between the messages and the policy's own types."""

from __future__ import annotations

import array
from collections.abc import Mapping

import numpy as np
from sensor_msgs.msg import Image as ImageMessage

from vla_contract import rotations
from vla_contract.action_space import ActionSpace
from vla_contract.image_pixels import pixels_of
from vla_contract.joint_states import JointStateError, read_joints
from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import ActionChunk
from vla_interfaces.msg import Observation as ObservationMessage
from vla_policy.checkpoint.checkpoint import END_EFFECTOR_ROTATION, END_EFFECTOR_STATES
from vla_policy.inference.held_images import held_for, moved_on
from vla_policy.inference.inference import Chunk, Image, Observation


class ConversionError(ValueError):
    """A message whose content contradicts itself; one line."""


def observation_from_message(message: ObservationMessage) -> Observation:
    """Observation of a message; its images are views of the message's data.

    Raises:
        ConversionError: lists of different lengths, or an image that is not a whole rgb8 image.
    """
    names = tuple(message.camera_names)
    if not len(names) == len(message.image_valid) == len(message.images):
        raise ConversionError(
            f"the observation has {len(names)} camera_names, {len(message.image_valid)} "
            f"image_valid and {len(message.images)} images; accepted: as many of each"
        )
    images = tuple(
        _image(name, image) if valid else None
        for name, valid, image in zip(names, message.image_valid, message.images, strict=True)
    )
    return Observation(
        stamp=to_nanoseconds(message.observation_stamp),
        sequence=int(message.sequence),
        camera_names=names,
        images=images,
        state=_state(message),
        command_id=int(message.command.command_id),
        command=message.command.text if message.command_valid else None,
    )


def chunk_to_message(
    chunk: Chunk, observation: ObservationMessage, space: ActionSpace
) -> ActionChunk:
    """Message of a chunk for the observation that it answers; header.stamp is left to the node."""
    message = ActionChunk()
    message.observation_stamp = observation.observation_stamp
    message.observation_sequence = observation.sequence
    message.action_space = space.name
    message.dimension_names = list(space.dimension_names)
    actions = moved_on(chunk.actions, image_hold(observation), space.chunk_period)
    # An array.array is taken over as it is; a list would be checked number by number.
    message.actions = array.array("d", np.ascontiguousarray(actions).tobytes())
    message.period = space.chunk_period
    if observation.command_valid:
        message.command_id = observation.command.command_id
        message.command = observation.command.text
        message.command_stamp = observation.command.header.stamp
    message.done = chunk.done
    message.chunks_before_done = chunk.chunks_before_done
    message.progress = chunk.progress
    message.confidence = chunk.confidence
    message.inference_time = chunk.inference_time
    return message


def image_to_message(picture: Image, observation: ObservationMessage) -> ImageMessage:
    """A picture of the observation, rgb8, with its stamp."""
    message = ImageMessage()
    message.header.stamp = observation.observation_stamp
    message.height, message.width = picture.shape[:2]
    message.encoding, message.step = "rgb8", 3 * picture.shape[1]
    message.data = array.array("B", np.ascontiguousarray(picture).tobytes())
    return message


def image_hold(message: ObservationMessage) -> float:
    """How much older the images are than the state, s, where they are repeated; else 0."""
    images = [
        to_nanoseconds(image.header.stamp)
        for image, valid in zip(message.images, message.image_valid, strict=False)
        if valid
    ]
    states = []
    if message.joint_state_valid:
        states.append(to_nanoseconds(message.joint_state.header.stamp))
    if message.end_effector_pose_valid:
        states.append(to_nanoseconds(message.end_effector_pose.header.stamp))
    return held_for(to_nanoseconds(message.observation_stamp), images, states)


def _image(name: str, message: ImageMessage) -> Image:
    """View of the pixels, uint8 (height, width, 3); rows may be padded (step)."""
    height, width, step = message.height, message.width, message.step
    if message.encoding != "rgb8" or not height or not width:
        raise ConversionError(
            f"the image of {name} is {message.encoding!r} {width}x{height}; "
            "accepted: rgb8 of at least 1x1"
        )
    size = len(message.data)
    if step < width * 3 or size != step * height:
        raise ConversionError(
            f"the image of {name} has {size} bytes in rows of {step} for {width}x{height} "
            f"rgb8; accepted: rows of at least {width * 3}, height times"
        )
    return pixels_of(message.data, height, width, step)


def _state(message: ObservationMessage) -> Mapping[str, float]:
    state: dict[str, float] = {}
    if message.joint_state_valid:
        try:
            reading = read_joints(message.joint_state)
        except JointStateError as error:
            raise ConversionError(f"the joint state: {error}") from error
        state.update({name: joint.position for name, joint in reading.joints.items()})
    if message.end_effector_pose_valid:
        position = message.end_effector_pose.pose.position
        xyz = (position.x, position.y, position.z)
        state.update(zip(END_EFFECTOR_STATES, xyz, strict=True))
        q = message.end_effector_pose.pose.orientation
        quaternion = (q.x, q.y, q.z, q.w)
        if not rotations.quaternion_problem(quaternion):
            turned = rotations.logarithm(quaternion)
            state.update(zip(END_EFFECTOR_ROTATION, turned, strict=True))
    return state
