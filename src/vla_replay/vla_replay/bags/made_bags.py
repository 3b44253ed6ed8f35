"""For tests and benchmarks: small bags that are made, with whatever is to be wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from vla_contract.stamps import NANOSECONDS

STORE = get_typestore(Stores.ROS2_HUMBLE)
START = 1_700_000_000_000_000_000  # ns
JOINTS = ("gripper_opening",)


@dataclass(frozen=True)
class Recipe:
    """A bag. cameras: topic → rate, Hz. kinds: jpeg or raw. seconds: of its time."""

    cameras: tuple[tuple[str, float], ...] = (("/camera/corner2/image_raw", 30.0),)
    compressed: bool = False
    width: int = 64
    height: int = 48
    seconds: float = 1.0
    state_rate: float = 50.0
    pose: bool = True
    command: str = "open the drawer"
    start: int = START
    distinct: int = 8  # pictures that differ


@dataclass(frozen=True)
class Item:
    """One message to write. time: ns; data: CDR."""

    topic: str
    kind: str
    time: int
    data: bytes


def serialised(kind: str, **fields: Any) -> bytes:
    """CDR of a message of ROS 2 Humble."""
    return bytes(STORE.serialize_cdr(STORE.types[kind](**fields), kind))


def header(time: int, frame: str = "frame") -> Any:
    """A std_msgs/Header."""
    types = STORE.types
    stamp = types["builtin_interfaces/msg/Time"](
        sec=time // NANOSECONDS, nanosec=time % NANOSECONDS
    )
    return types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)


def image(time: int, pixels: np.ndarray, compressed: bool) -> Item:
    """An image without its topic."""
    height, width = pixels.shape[:2]
    if compressed:
        packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].ravel()
        kind = "sensor_msgs/msg/CompressedImage"
        return Item(
            "", kind, time, serialised(kind, header=header(time), format="jpeg", data=packed)
        )
    kind = "sensor_msgs/msg/Image"
    data = serialised(
        kind, header=header(time), height=height, width=width, encoding="rgb8", is_bigendian=0,
        step=width * 3, data=pixels.reshape(-1),
    )  # fmt: skip
    return Item("", kind, time, data)


def joint_state(time: int, opening: float = 0.5) -> Item:
    """A joint_states message of the shipped policy's robot."""
    kind = "sensor_msgs/msg/JointState"
    empty = np.zeros(0)
    data = serialised(
        kind, header=header(time), name=list(JOINTS), position=np.array([opening]), velocity=empty,
        effort=empty,
    )  # fmt: skip
    return Item("/joint_states", kind, time, data)


def pose(time: int, x: float = 0.0) -> Item:
    """An end effector's pose within the shipped policy's workspace."""
    types = STORE.types
    point = types["geometry_msgs/msg/Point"](x=x, y=0.6, z=0.2)
    rotation = types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
    kind = "geometry_msgs/msg/PoseStamped"
    body = types["geometry_msgs/msg/Pose"](position=point, orientation=rotation)
    return Item(
        "/end_effector_pose",
        kind,
        time,
        serialised(kind, header=header(time, "base_link"), pose=body),
    )


def text(time: int, words: str, topic: str = "/vla/command") -> Item:
    """A std_msgs/String."""
    return Item(topic, "std_msgs/msg/String", time, serialised("std_msgs/msg/String", data=words))


def picture(index: int, width: int, height: int) -> np.ndarray:
    """A smooth picture with a square that moves, rgb8."""
    across = np.linspace(40, 200, width, dtype=np.uint8)[None, :, None]
    down = np.linspace(0, 50, height, dtype=np.uint8)[:, None, None]
    pixels = np.broadcast_to(across + down, (height, width, 3)).copy()
    side = max(4, height // 6)
    left = (index * 7) % max(1, width - side)
    pixels[height // 3 : height // 3 + side, left : left + side] = (200, 40, 40)
    return pixels


def items(recipe: Recipe) -> Iterator[Item]:
    """Messages of a recipe in order of time, made one by one."""
    streams: list[tuple[int, int, str]] = []
    for topic, rate in recipe.cameras:
        times = range(round(recipe.seconds * rate))
        streams += [(recipe.start + round(i * NANOSECONDS / rate), i, topic) for i in times]
    states = range(round(recipe.seconds * recipe.state_rate))
    for name in ("joint_states", "pose") if recipe.pose else ("joint_states",):
        streams += [
            (recipe.start + round(i * NANOSECONDS / recipe.state_rate), i, name) for i in states
        ]
    if recipe.command:
        yield text(recipe.start, recipe.command)
    made: dict[int, Item] = {}
    for time, index, name in sorted(streams):
        if name == "joint_states":
            yield joint_state(time)
        elif name == "pose":
            yield pose(time, 0.001 * (index % 50))
        else:
            yield _image_item(recipe, made, time, index, name)


def _image_item(recipe: Recipe, made: dict[int, Item], time: int, index: int, topic: str) -> Item:
    from vla_replay.bags import cdr_fields

    number = index % recipe.distinct
    if number not in made:
        pixels = picture(number, recipe.width, recipe.height)
        made[number] = image(time, pixels, recipe.compressed)
    known = made[number]
    name = f"{topic}/compressed" if recipe.compressed else topic
    return Item(name, known.kind, time, cdr_fields.with_stamp(known.data, time))


def write_bag(
    folder: Path,
    content: Iterable[Item],
    storage: str = "mcap",
    compression: str = "none",
    limit: int | None = None,
    store: Any = STORE,
) -> Path:
    """Write a rosbag2 folder.

    Args:
        storage: mcap or sqlite3.
        compression: none, file, message, or storage (mcap's own chunks).
        limit: messages.
        store: whose definitions the messages have.
    """
    writer = Writer(folder, version=8, storage_plugin=StoragePlugin[storage.upper()])
    if compression != "none":
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    connections: dict[str, Any] = {}
    with writer:
        for number, item in enumerate(content):
            if limit is not None and number >= limit:
                break
            if item.topic not in connections:
                connections[item.topic] = writer.add_connection(
                    item.topic, item.kind, typestore=store
                )
            writer.write(connections[item.topic], item.time, item.data)
    return folder
