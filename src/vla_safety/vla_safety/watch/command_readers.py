"""Who reads what the robot is sent. Free of ROS.

A driver that waits for another type hears nothing, and says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Reader:
    """A subscription of a topic: full name of its node, and the type that it expects."""

    node: str
    type: str


class CommandReaders:
    """Looks whether each of the robot's command topics has a reader of its type.

    types: topic -> the type that is sent there, as "geometry_msgs/msg/Twist".
    """

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = dict(types)
        self._last = ""

    def look(self, readers: Mapping[str, Sequence[Reader]]) -> str:
        """What is sent and not read, in words; empty where it was not so at the last look, too.

        One look alone may come before the graph shows them. readers: topic -> those that it shows.
        """
        found = [self._unread(topic, readers.get(topic, ())) for topic in self._types]
        before, self._last = self._last, "; ".join(text for text in found if text)
        return self._last if self._last == before else ""

    def _unread(self, topic: str, readers: Sequence[Reader]) -> str:
        wanted = self._types[topic]
        if any(reader.type == wanted for reader in readers):
            return ""
        others = sorted({f"{reader.node} reads it as {reader.type}" for reader in readers})
        return f"nobody reads {topic} as {wanted}" + "".join(f"; {each}" for each in others)
