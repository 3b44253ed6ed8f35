"""ROS 1 bags through rosbags, their messages in the form of ROS 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from vla_replay.blocks import Key, Segments, Stored
from vla_replay.storage import BagError, Losses, Topic


class Ros1Bag:
    """One or several ROS 1 files as one bag.

    ROS 1 has one layout for all that matters here (sensor_msgs, geometry_msgs, std_msgs), so the
    types of ROS 2 that have the same name are used for what is converted.
    """

    def __init__(self, files: list[Path]) -> None:
        """Open them.

        Raises:
            BagError: a file is damaged or has no index.
        """
        self.losses = Losses()
        try:
            self._reader = AnyReader(files)
            self._reader.open()
        except Exception as error:  # whatever a damaged index makes of rosbags
            words = " ".join(str(error).split()) or type(error).__name__
            raise BagError(
                f"{files[0]}: {words} A ROS 1 bag without an index is mended with: rosbag reindex"
            ) from error
        self._target = get_typestore(Stores.ROS2_HUMBLE)
        self.topics: dict[str, Topic] = {}
        for connection in self._reader.connections:
            before = self.topics.get(connection.topic)
            count = connection.msgcount + (before.count if before else 0)
            self.topics[connection.topic] = Topic(connection.topic, connection.msgtype, count)

    def messages(self) -> Iterator[Stored]:
        """Messages that can be converted, in order of time; others are counted."""
        segments = Segments()
        iterator = self._reader.messages()
        while True:
            try:
                connection, time, data = next(iterator)
            except StopIteration:
                return
            except Exception as error:  # rosbags asserts on damaged chunks
                self.losses.note(f"the bag is damaged: {' '.join(str(error).split())}; cut there")
                self.losses.broken("(chunk)", "the rest of a damaged bag")
                return
            cdr = self._converted(connection.topic, connection.msgtype, bytes(data))
            if cdr is not None:
                key = segments.key(connection.topic, time)
                yield Stored(Key(key.segment, time), connection.topic, connection.msgtype, cdr)

    def _converted(self, topic: str, name: str, data: bytes) -> bytes | None:
        if name not in self._target.fielddefs:
            return b""  # a type that is not used; listed by its topic
        try:
            store: Any = self._reader.typestore
            message = store.deserialize_ros1(data, name)
            return bytes(_to_ros2(self._target, message, name))
        except Exception as error:  # whatever a damaged message makes of the decoder
            self.losses.broken(topic, f"broken message ({type(error).__name__})")
            return None

    def close(self) -> None:
        """Close the files."""
        self._reader.close()


def _to_ros2(store: Any, message: Any, name: str) -> Any:
    return store.serialize_cdr(_rebuilt(store, message, name), name)


def _rebuilt(store: Any, message: Any, name: str) -> Any:
    """The message as ROS 2 has it: its fields by name; the header's seq goes."""
    from rosbags.interfaces import Nodetype

    kind = store.types[name]
    values: dict[str, Any] = {}
    for field, description in store.fielddefs[name][1]:
        value = getattr(message, field if hasattr(message, field) else _ros1_name(field))
        node, inner = description
        if node == Nodetype.NAME:
            value = _rebuilt(store, value, inner)
        elif node in (Nodetype.ARRAY, Nodetype.SEQUENCE) and inner[0][0] == Nodetype.NAME:
            value = [_rebuilt(store, each, inner[0][1]) for each in value]
        values[field] = value
    return kind(**values)


def _ros1_name(field: str) -> str:
    """CameraInfo's matrices are in capitals in ROS 1."""
    return field.upper()
