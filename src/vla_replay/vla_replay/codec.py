"""Serialised messages to objects and back, the same bytes for the same content.

DDS leaves whatever was in memory in the padding between fields, so that two equal messages may
differ as bytes; here padding is zero.
"""

from __future__ import annotations

from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from vla_contract.recording import definition


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
        """The message; fields are named as in the definition, arrays are NumPy's."""
        self.learn(kind)
        return self._store.deserialize_cdr(data, kind)

    def write(self, kind: str, message: Any) -> bytes:
        """CDR of what `read` gave."""
        self.learn(kind)
        return bytes(self._store.serialize_cdr(message, kind))
