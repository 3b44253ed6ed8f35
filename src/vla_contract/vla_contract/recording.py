"""ROS messages as bags: MCAP files with every message definition inside.

What is written opens in Foxglove, `ros2 bag` and rosbags without the packages of its messages.
Definitions come from the installed .msg files. Free of rclpy: messages come serialised (CDR, as
`rclpy.serialization.serialize_message` gives them).

Example:
    with BagWriter(folder) as bag:
        bag.add_topic("/vla/safe_action", "vla_interfaces/msg/SafeAction")
        bag.write("/vla/safe_action", serialize_message(message), stamp)
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.errors import WriterError
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.serde import SerdeError
from rosbags.typesys import get_types_from_msg
from rosbags.typesys.store import Typestore

from vla_contract import topics

_SEPARATOR = "=" * 80
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_/]*")
_PRIMITIVE = re.compile(r"bool|byte|char|float(32|64)|u?int(8|16|32|64)|w?string")
# Of metadata.yaml: the last version that writes QoS as ROS 2 Humble reads it. Jazzy reads it, too.
METADATA_VERSION: Literal[8] = 8
_FOREVER = QosTime(0, 0)


class RecordingError(RuntimeError):
    """A bag cannot be written; the message is one line and says which and why."""


@dataclass(frozen=True)
class Definition:
    """A message type as a bag stores it: its text with all that it needs, and its hash."""

    text: str
    hash: str


def type_name(message_class: Any) -> str:
    """Full name of a message class, e.g. "geometry_msgs/msg/Twist"."""
    return f"{message_class.__module__.split('.')[0]}/msg/{message_class.__name__}"


@cache
def definition(name: str) -> Definition:
    """Definition of an installed message type, e.g. "sensor_msgs/msg/LaserScan".

    Raises:
        RecordingError: its package or file is not installed.
    """
    texts = {name: _source(name)}
    waiting = [name]
    while waiting:
        for needed in _needed(waiting.pop(0), texts):
            if needed not in texts:
                texts[needed] = _source(needed)
                waiting.append(needed)
    parts = [texts.pop(name).rstrip("\n")]
    for other, text in texts.items():
        parts.append(f"{_SEPARATOR}\nMSG: {other.replace('/msg/', '/')}\n" + text.rstrip("\n"))
    whole = "\n".join(parts) + "\n"
    return Definition(whole, _installed_hash(name) or _computed_hash(name, whole))


class BagWriter:
    """Writes one bag: a folder with one MCAP file and metadata.yaml. Use it in a `with` block.

    Attributes:
        folder: the bag. path: its file. count: messages written.
    """

    def __init__(self, folder: Path, notes: Mapping[str, str] | None = None) -> None:
        """Make the folder, which must not exist; its parents are made.

        Args:
            notes: kept in metadata.yaml as custom data, e.g. the cause of a stop.

        Raises:
            RecordingError: it exists or cannot be made.
        """
        self.folder = folder
        self.path = folder / f"{folder.name}.mcap"
        self.count = 0
        self._connections: dict[str, Connection] = {}
        try:
            self._writer = Writer(
                folder, version=METADATA_VERSION, storage_plugin=StoragePlugin.MCAP
            )
            for key, value in (notes or {}).items():
                self._writer.set_custom_data(key, value)
            self._writer.open()
        except (OSError, WriterError) as error:
            raise _refused(folder, error) from error

    def __enter__(self) -> BagWriter:
        """Itself; closed at the end of the block."""
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        """Close; the error of the block goes before one of closing."""
        if error is None:
            self.close()
            return
        with contextlib.suppress(RecordingError):
            self.close()

    def add_topic(self, topic: str, name: str, qos: topics.Qos | None = None) -> None:
        """Tell the type of a topic before its first message, once.

        Args:
            topic: full name. name: e.g. "sensor_msgs/msg/LaserScan".
            qos: what its publishers offer; without it as rosbag2 assumes for old bags.

        Raises:
            RecordingError: the type is not installed, or the file cannot be written.
        """
        known = definition(name)
        profiles = qos_profiles(qos)
        try:
            self._connections[topic] = self._writer.add_connection(
                topic,
                name,
                msgdef=known.text,
                rihs01=known.hash,
                offered_qos_profiles=profiles,
            )
        except (OSError, WriterError) as error:
            raise _refused(self.folder, error) from error

    def has(self, topic: str) -> bool:
        """True where `add_topic` was called for it."""
        return topic in self._connections

    def write(self, topic: str, data: bytes, stamp: int, *, is_exact: bool = False) -> None:
        """Write a serialised message; stamp: when it was received, ns.

        is_exact: nothing follows it that is to be cut off, see `exact`.

        Raises:
            RecordingError: the file cannot be written.
        """
        connection = self._connections[topic]
        try:
            content = data if is_exact else exact(connection.msgtype, data)
            self._writer.write(connection, stamp, content)
        except OSError as error:
            raise _refused(self.folder, error) from error
        self.count += 1

    def flush(self) -> None:
        """Let readers find what was written so far, also after a crash.

        Raises:
            RecordingError: it cannot be written.
        """
        storage = self._writer.storage
        assert isinstance(storage, McapWriter)
        try:
            if storage.chunk.bio.tell():
                storage.close_chunk()
            storage.bio.flush()
        except OSError as error:
            raise _refused(self.folder, error) from error

    def close(self) -> None:
        """Write what is left and metadata.yaml.

        Raises:
            RecordingError: it cannot be written.
        """
        try:
            self._writer.close()
        except OSError as error:
            raise _refused(self.folder, error) from error

    def abandon(self) -> None:
        """After an error: what its file's buffer still holds goes nowhere, now and later."""
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(int(name)), self.path.stat()):
                    null = os.open(os.devnull, os.O_WRONLY)
                    os.dup2(null, int(name))
                    os.close(null)


def read_notes(folder: Path) -> dict[str, str]:
    """The notes that a BagWriter was given, from the bag's metadata.yaml.

    Raises:
        RecordingError: there is none, or it is not that of a bag.
    """
    path = folder / "metadata.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        notes = content["rosbag2_bagfile_information"].get("custom_data") or {}
        return {str(key): str(value) for key, value in notes.items()}
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        raise RecordingError(f"{path} is not the metadata of a bag") from error


def prepare(name: str) -> None:
    """Do now what the first message of a type would otherwise cost, tens of milliseconds.

    Raises:
        RecordingError: its package or file is not installed.
    """
    _store(name).get_msgdef(name)


def exact(name: str, data: bytes) -> bytes:
    """A serialised message without what follows it.

    `serialize_message` of Fast DDS estimates the size, and leaves up to a few words of what was in
    memory behind the message; readers that check the size refuse it. Data that cannot be read
    stays as it is.
    """
    store = _store(name)
    known = store.get_msgdef(name)
    read = known.deserialize_cdr_le if data[1:2] == b"\x01" else known.deserialize_cdr_be
    try:
        _, end = read(data[4:], 0, known.cls, store)
    except (ValueError, IndexError, struct.error, SerdeError):
        return data
    return data[: 4 + end]


def _refused(folder: Path, error: Exception) -> RecordingError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())
    return RecordingError(f"bag {folder}: {reason}")


def qos_profiles(qos: topics.Qos | None) -> list[Qos]:
    """What a bag says that a topic's publishers offer; nothing where that is not known."""
    if qos is None:
        return []
    durability = QosDurability.TRANSIENT_LOCAL if qos.transient_local else QosDurability.VOLATILE
    profile = Qos(
        history=QosHistory.KEEP_LAST,
        depth=qos.depth,
        reliability=QosReliability.RELIABLE if qos.reliable else QosReliability.BEST_EFFORT,
        durability=durability,
        deadline=_FOREVER,
        lifespan=_FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_FOREVER,
        avoid_ros_namespace_conventions=False,
    )
    return [profile]


def _source(name: str) -> str:
    package, _, message = name.partition("/msg/")
    try:
        path = Path(get_package_share_directory(package)) / "msg" / f"{message}.msg"
        return path.read_text(encoding="utf-8")
    except (PackageNotFoundError, OSError, ValueError) as error:
        raise RecordingError(
            f"message type {name!r} is not installed; accepted: package/msg/Name of one that is"
        ) from error


def _needed(name: str, texts: Mapping[str, str]) -> Iterator[str]:
    """Full names of the message types of a message's fields."""
    package = name.partition("/")[0]
    for line in texts[name].splitlines():
        match = _TYPE.match(line.strip())
        if match is None or _PRIMITIVE.fullmatch(match.group()):
            continue
        parts = match.group().split("/")
        yield f"{parts[0] if len(parts) > 1 else package}/msg/{parts[-1]}"


def _installed_hash(name: str) -> str:
    """The hash that the build wrote beside the definition; empty where it wrote none (Humble)."""
    package, _, message = name.partition("/msg/")
    path = Path(get_package_share_directory(package)) / "msg" / f"{message}.json"
    try:
        hashes = json.loads(path.read_text(encoding="utf-8"))["type_hashes"]
        return next(str(h["hash_string"]) for h in hashes if h["type_name"] == name)
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        return ""


@cache
def _store(name: str) -> Typestore:
    """Readers of a type and of what it needs."""
    return _parsed(name, definition(name).text)


def _computed_hash(name: str, text: str) -> str:
    return _parsed(name, text).hash_rihs01(name)


def _parsed(name: str, text: str) -> Typestore:
    store = Typestore()
    store.register(get_types_from_msg(text, name))
    return store
