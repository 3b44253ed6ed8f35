"""What every kind of bag has in common: its topics, and what was lost of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


class BagError(ValueError):
    """A bag that cannot be read; one line: which, why, and what is accepted."""


class NotJoinedError(BagError):
    """The graph never answered: its nodes had not found each other when it was asked."""


@dataclass(frozen=True)
class Topic:
    """A topic of a bag. type: e.g. "sensor_msgs/msg/Image". definition: as stored, or empty.

    encoding: of its messages as stored, e.g. "cdr", "ros1", "json". problem: why they cannot be
    read; note: what is lost when they are; both empty where there is nothing to say.
    """

    name: str
    type: str
    count: int
    definition: str = ""
    encoding: str = "cdr"
    problem: str = ""
    note: str = ""


def unread(topics: Iterable[Topic]) -> list[str]:
    """Topics whose messages cannot be read, and why; one line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for topic in topics:
        if topic.problem:
            by_reason.setdefault(topic.problem, []).append(topic.name)
    return [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]


@dataclass
class Losses:
    """What could not be read, in words and numbers.

    lines: each said once. messages: known to be lost, by topic and reason. lost_bytes: that no
    message could be found in.
    """

    lines: list[str] = field(default_factory=list)
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost_bytes: int = 0

    def report_loss(self, line: str) -> None:
        """Tell it once."""
        if line not in self.lines:
            self.lines.append(line)

    def broken(self, topic: str, reason: str) -> None:
        """A message cannot be read."""
        self.messages[topic, reason] += 1

    def chunk(self, count: int, reason: str) -> None:
        """A chunk of `count` messages cannot be read."""
        self.messages["(chunk)", reason] += max(count, 1)
        self.report_loss(f"a damaged chunk is skipped: {reason}")

    def told(self) -> list[str]:
        """All of it in lines."""
        lost = [f"{topic}: {n} lost ({why})" for (topic, why), n in self.messages.items()]
        return [*self.lines, *lost]
