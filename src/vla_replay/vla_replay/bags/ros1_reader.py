"""ROS 1 bags through rosbags; their messages as they are stored."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from pathlib import Path

from rosbags.rosbag1 import Reader

from vla_replay.bags.bag_storage import BagError, Losses, Topic
from vla_replay.bags.blocks import Key, Stored
from vla_replay.bags.definitions import ROS1


class Ros1Bag:
    """One or several ROS 1 files as one bag. topics: by name."""

    def __init__(self, files: list[Path], losses: Losses) -> None:
        """Open them.

        Raises:
            BagError: a file is damaged or has no index.
        """
        self._losses = losses
        self._readers: list[Reader] = []
        self.topics: dict[str, Topic] = {}
        for file in files:
            try:
                reader = Reader(file)
                reader.open()
            except Exception as error:  # whatever a damaged index makes of rosbags
                self.close()
                words = " ".join(str(error).split()) or type(error).__name__
                mend = " It is mended with: rosbag reindex" if "index" in words else ""
                raise BagError(f"{file}: {words}{mend}") from error
            self._readers.append(reader)
            for connection in reader.connections:
                before = self.topics.get(connection.topic)
                count = connection.msgcount + (before.count if before else 0)
                self.topics[connection.topic] = Topic(
                    connection.topic, connection.msgtype, count, connection.msgdef.data, ROS1
                )

    def messages(self) -> Iterator[Stored]:
        """In order of time."""
        streams = (self._file(reader) for reader in self._readers)
        yield from heapq.merge(*streams, key=lambda message: message.key)

    def _file(self, reader: Reader) -> Iterator[Stored]:
        iterator = reader.messages()
        while True:
            try:
                connection, time, data = next(iterator)
            except StopIteration:
                return
            except Exception as error:  # rosbags asserts on damaged chunks
                words = " ".join(str(error).split()) or type(error).__name__
                self._losses.report_loss(f"{reader.path}: the bag is damaged: {words}; cut there")
                self._losses.broken("(chunk)", "the rest of a damaged bag")
                return
            yield Stored(Key(0, time), connection.topic, connection.msgtype, bytes(data))

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers:
            reader.close()
