"""The few things that replay needs of a serialised message without making an object of it."""

from __future__ import annotations

import struct
from typing import NamedTuple

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


class Cursor:
    """Reads plain CDR fields one after the other."""

    def __init__(self, data: bytes) -> None:
        """Begin behind the encapsulation.

        Raises:
            CdrError: too short, or not plain CDR.
        """
        if len(data) < 4 or data[0] != 0 or data[1] not in (0, 1):
            raise CdrError("it does not begin as CDR")
        self._data = data
        self._order = "<" if data[1] else ">"
        self.position = 4

    def number(self, code: str) -> int:
        """One integer of struct's `code`, aligned to its size."""
        size = struct.calcsize(code)
        self.position += -(self.position - 4) % size
        if self.position + size > len(self._data):
            raise CdrError("it is cut short")
        value = struct.unpack_from(self._order + code, self._data, self.position)[0]
        self.position += size
        return int(value)

    def text(self) -> str:
        """One string."""
        return self.bytes().rstrip(b"\0").decode("utf-8", "replace")

    def bytes(self) -> bytes:
        """One sequence of bytes."""
        length = self.number("I")
        if self.position + length > len(self._data):
            raise CdrError(f"it is cut short: {length} bytes announced")
        start, self.position = self.position, self.position + length
        return self._data[start : self.position]

    def header(self) -> int:
        """The stamp of a std_msgs/Header, ns."""
        seconds, rest = self.number("i"), self.number("I")
        self.bytes()
        return seconds * NANOSECONDS + rest


def stamp_of(data: bytes) -> int:
    """Stamp of a message that begins with a header, ns."""
    cursor = Cursor(data)
    return cursor.number("i") * NANOSECONDS + cursor.number("I")


def with_stamp(data: bytes, stamp: int) -> bytes:
    """The same message with another stamp, ns."""
    order = "<" if data[1] else ">"
    seconds, rest = divmod(stamp, NANOSECONDS)
    return data[:_STAMP] + struct.pack(order + "iI", seconds, rest) + data[_STAMP + 8 :]


def check_image(data: bytes) -> None:
    """Refuse an Image whose parts do not agree.

    Raises:
        CdrError: what is wrong.
    """
    cursor = Cursor(data)
    cursor.header()
    height, width = cursor.number("I"), cursor.number("I")
    encoding = cursor.text()
    cursor.number("B")
    step, length = cursor.number("I"), cursor.number("I")
    if not height or not width:
        raise CdrError(f"an image of {width}x{height} pixels")
    if length != step * height or cursor.position + length > len(data):
        raise CdrError(f"{length} bytes of {encoding!r} announced for {width}x{height} pixels")


def check_compressed(data: bytes) -> None:
    """Refuse a CompressedImage without data.

    Raises:
        CdrError: what is wrong.
    """
    cursor = Cursor(data)
    cursor.header()
    cursor.text()
    if not cursor.bytes():
        raise CdrError("a compressed image without data")


def command_text(data: bytes, kind: str) -> str:
    """The words of a std_msgs/String or a vla_interfaces/Command.

    Raises:
        CdrError: the message is cut short.
    """
    cursor = Cursor(data)
    if kind == "vla_interfaces/msg/Command":
        cursor.header()
        cursor.number("Q")
    return cursor.text()


class ImageParts(NamedTuple):
    """The fields of a sensor_msgs/Image behind its header."""

    height: int
    width: int
    encoding: str
    is_bigendian: bool
    step: int
    pixels: bytes


def image_parts(data: bytes) -> ImageParts:
    """The fields of an Image that `check_image` accepts."""
    cursor = Cursor(data)
    cursor.header()
    size = cursor.number("I"), cursor.number("I")
    encoding, is_bigendian = cursor.text(), bool(cursor.number("B"))
    return ImageParts(*size, encoding, is_bigendian, cursor.number("I"), cursor.bytes())


def compressed_part(data: bytes) -> bytes:
    """The JPEG or PNG of a CompressedImage that `check_compressed` accepts."""
    cursor = Cursor(data)
    cursor.header()
    cursor.text()
    return cursor.bytes()
