"""Messages to core types and back. The only place that knows both."""

from __future__ import annotations

import array
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import Header

from cv_bridge import CvBridge, CvBridgeError
from vla_contract.image_pixels import BYTES_PER_PIXEL, Image, in_bytes, pixels_of, resize_area
from vla_contract.rotations import quaternion_problem
from vla_contract.stamps import to_time
from vla_interfaces.msg import Command, Observation
from vla_perception.cameras import camera_images
from vla_perception.command.active_command import HeldCommand
from vla_perception.observe.stamped_streams import Drop, Refused

_BRIDGE = CvBridge()
_THREE_CHANNELS = ("rgb8", "bgr8")


@dataclass
class Frame:
    """A checked image on its way to an observation; `header` as the synchroniser wants it.

    stamp: ns. pixels: uint8 (H, W, 3), a view into `source` or decoded. bgr: channel order.
    message: what `to_image` made of it, where that was done ahead. reduction: how many times the
    camera's picture is wider and higher than `pixels`.
    """

    camera: str
    stamp: int
    header: Header
    pixels: Image
    bgr: bool
    source: Any = None
    message: Any = None
    reduction: int = 1


def raw_pixels(message: ImageMessage) -> tuple[Image, bool]:
    """Pixels of a raw image, in place where it has three channels, and whether they are bgr.

    Raises:
        Refused: the description is wrong or contradicts the data.
    """
    camera_images.check_raw(
        message.encoding, message.height, message.width, message.step, len(message.data)
    )
    channels = BYTES_PER_PIXEL[message.encoding]
    pixels = pixels_of(message.data, message.height, message.width, message.step, channels)
    pixels, encoding = in_bytes(pixels, message.encoding, bool(message.is_bigendian))
    if encoding in _THREE_CHANNELS:
        return pixels, encoding == "bgr8"
    try:
        plain = _for_bridge(message, pixels, encoding)
        return np.asarray(_BRIDGE.imgmsg_to_cv2(plain, "bgr8")), True
    except CvBridgeError as error:
        raise Refused(Drop.ENCODING, f"{message.encoding} cannot be converted: {error}") from error


def _for_bridge(message: ImageMessage, pixels: Image, encoding: str) -> ImageMessage:
    """A message of pixels, shape (H, W, channels), that cv_bridge converts as they are.

    It shears rows whose padding is no whole number of pixels, and with NumPy 2 it fails at a byte
    order that is not this machine's, which bytes have not.
    """
    height, width, channels = pixels.shape
    plain = ImageMessage(height=height, width=width, step=width * channels, encoding=encoding)
    plain.data = message.data if message.step == plain.step else _bytes_of(pixels)
    return plain


def _bytes_of(pixels: Image) -> array.array[int]:
    """For a message: an array.array is taken as it is; bytes and lists are checked one by one."""
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(pixels).data)
    return data


def to_image(frame: Frame, height: int, width: int) -> ImageMessage:
    """The rgb8 message of an observation, resized where height and width are not 0."""
    source = frame.source
    unchanged = (height, width) in ((0, 0), frame.pixels.shape[:2])
    message = ImageMessage(header=frame.header, encoding="rgb8")
    if unchanged and source is not None and source.encoding == "rgb8":
        message.height, message.width, message.step = source.height, source.width, source.step
        message.data = source.data
        return message
    pixels = resize_area(frame.pixels, height, width)
    if frame.bgr:  # after the resize, which leaves less to turn round
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    message.height, message.width = pixels.shape[:2]
    message.step = message.width * 3
    message.data = _bytes_of(pixels)
    return message


def to_command(command: HeldCommand) -> Command:
    """The command in force as a message."""
    return Command(
        header=Header(stamp=to_time(command.given)),
        command_id=command.command_id,
        text=command.text,
    )


def to_observation(
    cameras: Sequence[str],
    valid_images: dict[str, ImageMessage],
    joint_state: Any | None,
    pose: Any | None,
    command: HeldCommand | None,
) -> Observation:
    """An observation; absent images are empty and marked so. Stamps and sequence are left."""
    message = Observation(
        camera_names=list(cameras),
        image_valid=[camera in valid_images for camera in cameras],
        images=[valid_images.get(camera) or ImageMessage() for camera in cameras],
        joint_state_valid=joint_state is not None,
        end_effector_pose_valid=pose is not None,
        command_valid=command is not None,
    )
    if joint_state is not None:
        message.joint_state = joint_state
    if pose is not None:
        message.end_effector_pose = pose
    if command is not None:
        message.command = to_command(command)
    return message


def check_pose(pose: Any) -> None:
    """Refuse a pose with NaN or infinity, or with a quaternion that is no rotation."""
    position, rotation = pose.position, pose.orientation
    values = (position.x, position.y, position.z, rotation.x, rotation.y, rotation.z, rotation.w)
    if not all(map(math.isfinite, values)):
        raise Refused(Drop.NOT_FINITE, f"pose has {[round(value, 3) for value in values]}")
    problem = quaternion_problem(values[3:])
    if problem:
        raise Refused(Drop.INVALID, problem)
