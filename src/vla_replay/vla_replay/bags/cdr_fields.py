"""The stamp of a serialised message, read and set without making an object of it."""

from __future__ import annotations

import struct

from vla_contract.stamps import NANOSECONDS

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
# Types that begin with a std_msgs/Header.
STAMPED = frozenset(
    (
        IMAGE,
        COMPRESSED_IMAGE,
        "sensor_msgs/msg/JointState",
        "sensor_msgs/msg/LaserScan",
        "sensor_msgs/msg/Range",
        "sensor_msgs/msg/PointCloud2",
        "geometry_msgs/msg/PoseStamped",
        "nav_msgs/msg/Odometry",
        "vla_interfaces/msg/Command",
    )
)
_STAMP = 4  # offset of the stamp: behind the encapsulation


class CdrError(ValueError):
    """A message that cannot be what its type says; one line."""


def byte_order(data: bytes) -> str:
    """Of its numbers, as struct writes it.

    Raises:
        CdrError: too short, or not plain CDR.
    """
    if len(data) < _STAMP or data[0] != 0 or data[1] not in (0, 1):
        raise CdrError("it does not begin as CDR")
    return "<" if data[1] else ">"


def stamp_of(data: bytes) -> int:
    """Stamp of a message that begins with a header, ns."""
    seconds, rest = struct.unpack_from(byte_order(data) + "iI", data, _STAMP)
    return int(seconds) * NANOSECONDS + int(rest)


def with_stamp(data: bytes, stamp: int) -> bytes:
    """The same message with another stamp, ns."""
    seconds, rest = divmod(stamp, NANOSECONDS)
    packed = struct.pack(byte_order(data) + "iI", seconds, rest)
    return data[:_STAMP] + packed + data[_STAMP + 8 :]
