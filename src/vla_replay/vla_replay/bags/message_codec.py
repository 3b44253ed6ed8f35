"""Serialised messages to objects and back, the same bytes for the same content.

DDS leaves whatever was in memory in the padding between fields, so that two equal messages may
differ as bytes; here padding is zero.
"""

from __future__ import annotations

from typing import Any

from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from vla_contract.recording import RecordingError, definition
from vla_replay.bags.cdr_fields import COMPRESSED_IMAGE, IMAGE, CdrError, byte_order
from vla_replay.bags.definitions import CDR, ROS1, layout

COMMAND = "vla_interfaces/msg/Command"


def decoded(store: Any, kind: str, data: bytes, encoding: str = CDR) -> Any:
    """A message as an object of a store's type; encoding: cdr or ros1.

    What follows a whole message of CDR is accepted: Fast DDS leaves up to a few words there.

    Raises:
        CdrError: it is not what its type says.
    """
    known = store.get_msgdef(kind)
    if encoding == ROS1:
        read, body = known.deserialize_ros1, data
    else:
        little = byte_order(data) == "<"
        read = known.deserialize_cdr_le if little else known.deserialize_cdr_be
        body = data[4:]
    try:
        message, end = read(body, 0, known.cls, store)
    except Exception as error:  # whatever a damaged message makes of the decoder
        raise CdrError("it cannot be read as its type") from error
    if end > len(body):
        raise CdrError("it is cut short")
    if encoding == ROS1 and end < len(body):
        raise CdrError("it is longer than its type")
    return message


class Codec:
    """For message types as they are installed; free of rclpy, and faster for small messages."""

    def __init__(self) -> None:
        self.store: Any = get_typestore(Stores.EMPTY)
        self._known: set[str] = set()

    def learn(self, kind: str) -> None:
        """Make a type known.

        Raises:
            RecordingError: it is not installed, or has fields that rosbags does not know.
        """
        if kind in self._known:
            return
        text, present = definition(kind).text, self.store.fielddefs
        try:
            types = get_types_from_msg(text, kind)
            self.store.register({name: each for name, each in types.items() if name not in present})
            layout(self.store, kind)
        except (TypesysError, KeyError) as error:
            raise RecordingError(f"the definition of {kind} cannot be read") from error
        self._known.add(kind)

    def types(self, kind: str) -> Any:
        """Message classes by name, `kind` and those of its fields among them."""
        self.learn(kind)
        return self.store.types

    def read(self, kind: str, data: bytes) -> Any:
        """The message; fields are named as in the definition, arrays are NumPy's.

        Raises:
            CdrError: it is not what its type says.
        """
        self.learn(kind)
        return decoded(self.store, kind, data)

    def read_sound(self, kind: str, data: bytes) -> Any:
        """As `read`, and refuse an image whose parts do not agree."""
        message = self.read(kind, data)
        if kind == IMAGE:
            size, length = f"{message.width}x{message.height} pixels", len(message.data)
            if not message.height or not message.width:
                raise CdrError(f"an image of {size}")
            if length != message.step * message.height:
                raise CdrError(f"{length} bytes of {message.encoding!r} for {size}")
        elif kind == COMPRESSED_IMAGE and not len(message.data):
            raise CdrError("a compressed image without data")
        return message

    def command_text(self, kind: str, data: bytes) -> str:
        """The words of a std_msgs/String or a vla_interfaces/Command; raises CdrError."""
        message = self.read(kind, data)
        return str(message.text if kind == COMMAND else message.data)

    def write(self, kind: str, message: Any) -> bytes:
        """CDR of what `read` gave."""
        self.learn(kind)
        return bytes(self.store.serialize_cdr(message, kind))
