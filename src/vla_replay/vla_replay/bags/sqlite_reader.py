"""rosbag2's sqlite3 files, read in the order of storage and as far as they go."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from vla_replay.bags.bag_storage import BagError, Losses, Topic
from vla_replay.bags.blocks import Block, Key, Segments, Stored

BLOCK_ROWS = 32
# Of a damaged file even SQLite's own message may not be UTF-8.
DAMAGED = (sqlite3.Error, UnicodeDecodeError)


@dataclass
class SqliteFile:
    """One file, indexed when it is made; `blocks` read it again later."""

    path: Path
    segments: Segments
    losses: Losses
    topics: dict[str, Topic] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    distribution: str = ""  # that recorded it, where the file tells
    _names: dict[int, Topic] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read what is in it, without the messages' data."""
        with self.path.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise BagError(f"{self.path}: not an sqlite3 file (it does not begin as one)")
        self._connection: sqlite3.Connection | None = None
        try:
            self._read_topics()
        except DAMAGED as error:
            raise BagError(
                f"{self.path}: {_line(error)}; a sqlite3 bag has the tables topics and messages"
            ) from error
        rows: list[tuple[int, int, int]] = []
        for row in self._rows():
            rows.append(row)
            if len(rows) == BLOCK_ROWS:
                self._add_block(rows)
                rows = []
        self._add_block(rows)
        self.topics = {
            topic.name: replace(topic, count=self._counts.get(number, 0))
            for number, topic in self._names.items()
        }

    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            # A recorder that was killed leaves a journal, whose messages count.
            journal = Path(f"{self.path}-wal")
            option = "mode=ro" if journal.exists() and journal.stat().st_size else "immutable=1"
            uri = f"{self.path.resolve().as_uri()}?{option}"
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        return self._connection

    def _read_topics(self) -> None:
        database = self._database()
        definitions: dict[str, str] = {}
        with contextlib.suppress(*DAMAGED):
            definitions = dict(
                database.execute(
                    "SELECT topic_type, encoded_message_definition FROM message_definitions"
                )
            )
        with contextlib.suppress(*DAMAGED):
            rows = database.execute("SELECT ros_distro FROM schema").fetchall()
            self.distribution = next((str(name) for (name,) in rows), "")
        query = "SELECT id, name, type, serialization_format FROM topics"
        for number, name, kind, encoding in database.execute(query):
            definition = definitions.get(kind, "")
            self._names[number] = Topic(name, kind, 0, definition, str(encoding).lower())
        database.execute("SELECT id, topic_id, timestamp FROM messages LIMIT 1").fetchall()

    def _rows(self) -> Iterator[tuple[int, int, int]]:
        """(id, topic, time) in the order of storage; past what is damaged, row by row."""
        query = "SELECT id, topic_id, timestamp FROM messages WHERE id > ? ORDER BY id"
        last = -1
        try:
            for row in self._database().execute(query, (last,)):
                last = row[0]
                yield row
            return
        except DAMAGED as error:
            self.losses.report_loss(f"{self.path.name}: {_line(error)}; read as far as it goes")
        yield from self._rows_after(last)

    def _rows_after(self, last: int) -> Iterator[tuple[int, int, int]]:
        try:
            end = self._database().execute("SELECT max(id) FROM messages").fetchone()[0] or last
        except DAMAGED:
            self.losses.broken("(file)", "rows behind a damaged page")
            return
        for number in range(last + 1, end + 1):
            try:
                row = self._database().execute(
                    "SELECT id, topic_id, timestamp FROM messages WHERE id = ?", (number,)
                ).fetchone()  # fmt: skip
            except DAMAGED:
                self.losses.broken("(file)", "a row on a damaged page")
                continue
            if row is not None:
                yield row

    def _add_block(self, rows: list[tuple[int, int, int]]) -> None:
        keys: dict[int, tuple[Key, Topic]] = {}
        for number, topic_id, time in rows:
            topic = self._names.get(topic_id)
            if topic is None or not isinstance(time, int):
                self.losses.broken("(row)", "a message of a topic that is not declared")
                continue
            keys[number] = (self.segments.key(topic.name, time), topic)
            self._counts[topic_id] = self._counts.get(topic_id, 0) + 1
        if keys:
            first = min(key for key, _ in keys.values())
            self.blocks.append(Block(first, len(keys), lambda: self._load(keys)))

    def _load(self, keys: dict[int, tuple[Key, Topic]]) -> list[Stored]:
        found = []
        for number, (key, topic) in keys.items():
            try:
                row = self._database().execute(
                    "SELECT data FROM messages WHERE id = ?", (number,)
                ).fetchone()  # fmt: skip
            except DAMAGED:
                row = None
            if row is None or not isinstance(row[0], bytes):
                self.losses.broken(topic.name, "its data is on a damaged page")
                continue
            found.append(Stored(key, topic.name, topic.type, row[0]))
        return sorted(found, key=lambda message: message.key)


def _line(error: Exception) -> str:
    """Its words in one line: SQLite quotes the statement that it cannot parse."""
    return " ".join(str(error).split())
