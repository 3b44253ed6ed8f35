"""Serialised messages to objects and back, the same bytes for the same content.

DDS leaves whatever was in memory in the padding between fields, so that two equal messages may
differ as bytes; here padding is zero.
"""

from __future__ import annotations

from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vla_contract.recording import definition
from vla_replay.cdr import CdrError, Cursor


class Codec:
    """For installed message types; free of rclpy, and faster than it for small messages."""

    def __init__(self) -> None:
        self._store = get_typestore(Stores.ROS2_HUMBLE)
        self._known: set[str] = set()

    def learn(self, kind: str, text: str = "") -> None:
        """Make a type known; text: its definition as a bag stores it, else the installed one."""
        if kind in self._known:
            return
        types = get_types_from_msg(text or definition(kind).text, kind)
        present = self._store.fielddefs
        self._store.register({name: value for name, value in types.items() if name not in present})
        self._known.add(kind)

    def types(self, kind: str) -> Any:
        """Message classes by name, `kind` and those of its fields among them."""
        self.learn(kind)
        return self._store.types

    def read(self, kind: str, data: bytes) -> Any:
        """The message; fields are named as in the definition, arrays are NumPy's.

        What follows a whole message is accepted: Fast DDS leaves up to a few words there.
        """
        return self._decode(kind, data)

    def check(self, kind: str, data: bytes) -> None:
        """Refuse a message that a subscriber could not read either.

        Raises:
            CdrError: it is not CDR, or ends before its type does.
        """
        Cursor(data)
        try:
            self._decode(kind, data)
        except CdrError:
            raise
        except Exception as error:  # whatever a damaged message makes of the decoder
            raise CdrError("it cannot be read as its type") from error

    def write(self, kind: str, message: Any) -> bytes:
        """CDR of what `read` gave."""
        self.learn(kind)
        return bytes(self._store.serialize_cdr(message, kind))

    def _decode(self, kind: str, data: bytes) -> Any:
        if kind not in self._store.fielddefs:
            self.learn(kind)
        known = self._store.get_msgdef(kind)
        read = known.deserialize_cdr_le if data[1] else known.deserialize_cdr_be
        message, end = read(data[4:], 0, known.cls, self._store)
        if end > len(data) - 4:
            raise CdrError("it is cut short")
        return message
