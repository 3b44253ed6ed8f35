"""MCAP files read as far as they go: with or without index and summary, cut at any byte.

Layout: https://mcap.dev/spec. Nothing in the file is trusted: lengths are checked against its size,
checksums where there are any, and what cannot be read is counted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import lz4.frame
from rosbags.typesys.msg import normalize_msgtype

from vla_replay.bags import zstd
from vla_replay.bags.bag_storage import BagError, Losses, Topic
from vla_replay.bags.blocks import Block, Key, Segments, Stored
from vla_replay.bags.definitions import ROS1

MAGIC = b"\x89MCAP0\r\n"
FOOTER_LENGTH = 20
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, INDEX = 1, 2, 3, 4, 5, 6, 7
CHUNK_INDEX, STATISTICS, DATA_END = 8, 11, 15
LAST_OPCODE = 15
LOOSE_BLOCK = 1 << 20  # bytes of messages outside chunks that make a block
_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")
_CHUNK = struct.Struct("<QQQI")


@dataclass(frozen=True)
class Channel:
    """A channel with its schema."""

    topic: str
    type: str
    encoding: str
    definition: str


@dataclass(frozen=True)
class _Chunk:
    offset: int  # of its records
    length: int
    compression: str
    size: int  # uncompressed
    crc: int
    cut: bool  # the file ends within it


@dataclass
class McapFile:
    """One file, indexed when it is made; `blocks` read it again later.

    segments: of the bag that the file is a part of.
    """

    path: Path
    segments: Segments
    losses: Losses
    channels: dict[int, Channel] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    _schemas: dict[int, tuple[str, str]] = field(default_factory=dict)
    _loose: list[tuple[Key, int, int, int]] = field(default_factory=list)
    _loose_bytes: int = 0
    _chunk_offsets: list[int] = field(default_factory=list)  # that the summary tells
    _expected: int = 0  # messages, by the summary

    def __post_init__(self) -> None:
        """Read the file's records, without what the chunks hold where they are indexed."""
        self._size = self.path.stat().st_size
        with self.path.open("rb") as file:
            if file.read(8) != MAGIC:
                raise BagError(f"{self.path}: not an MCAP file (it does not begin as one)")
            self._has_summary = self._read_summary(file)
            file.seek(8)
            self._index(file)
        self._end_loose()
        if not self._has_summary:
            self.losses.report_loss(
                f"{self.path.name}: no summary at its end; read record by record"
            )

    @property
    def topics(self) -> dict[str, Topic]:
        """Topics with their types and counts."""
        found: dict[str, Topic] = {}
        for number, channel in self.channels.items():
            before = found.get(channel.topic)
            count = self.counts.get(number, 0) + (before.count if before else 0)
            found[channel.topic] = Topic(
                channel.topic, channel.type, count, channel.definition, channel.encoding
            )
        return found

    # Index.

    def _read_summary(self, file: BinaryIO) -> bool:
        tail = 8 + 9 + FOOTER_LENGTH
        if self._size < 8 + tail:
            return False
        file.seek(self._size - tail)
        opcode, length = _RECORD.unpack(file.read(9))
        start = struct.unpack("<Q", file.read(8))[0]
        file.seek(-8, 2)
        if opcode != FOOTER or length != FOOTER_LENGTH or file.read(8) != MAGIC:
            return False
        if not 8 <= start < self._size:
            return False
        file.seek(start)
        for code, content, _ in self._records(file, self._size - tail):
            if code == CHUNK_INDEX and len(content) >= 24:
                self._chunk_offsets.append(struct.unpack_from("<Q", content, 16)[0])
            elif code == STATISTICS and len(content) >= 8:
                self._expected = struct.unpack_from("<Q", content)[0]
            self._declare(code, content)
        return True

    def _records(
        self, file: BinaryIO, end: int, skip: tuple[int, ...] = ()
    ) -> Iterator[tuple[int, bytes, int]]:
        """(opcode, content, offset of the content) up to `end`; content of `skip` is not read."""
        while (position := file.tell()) + 9 <= end:
            opcode, length = _RECORD.unpack(file.read(9))
            if not 0 < opcode <= LAST_OPCODE and opcode < 0x80 or length > end - position - 9:
                yield opcode, b"", -position - 1  # broken from here
                return
            offset = position + 9
            yield opcode, b"" if opcode in skip else file.read(length), offset
            file.seek(offset + length)

    def _index(self, file: BinaryIO) -> None:
        end = self._size
        before = self.losses.messages.total()
        while (broken := self._index_until_broken(file, end)) is not None:
            if not self._resume(file, broken):
                break
        counted = self.losses.messages.total() - before
        lost = self._expected - sum(self.counts.values()) - counted
        if lost > 0:
            self.losses.messages["(file)", "in damaged records"] += lost

    def _index_until_broken(self, file: BinaryIO, end: int) -> int | None:
        """Offset of the first record that cannot be; None where the file ends as it should."""
        pending: tuple[_Chunk, dict[int, list[int]]] | None = None
        for opcode, content, offset in self._records(file, end, skip=(CHUNK,)):
            if pending and (opcode != INDEX or offset < 0):
                # An index that is cut may miss topics.
                self._add_chunk(pending[0], pending[1] if offset >= 0 else {})
                pending = None
            if offset < 0:
                return -offset - 1
            if opcode == CHUNK:
                pending = (self._chunk_at(file, offset, end), {})
            elif opcode == INDEX and pending:
                _read_index(content, pending[1])
            elif opcode == MESSAGE:
                self._add_loose(content, offset)
            elif opcode in (DATA_END, FOOTER):
                return None
            else:
                self._declare(opcode, content)
        if pending:
            self._add_chunk(pending[0], {})
        return file.tell()

    def _resume(self, file: BinaryIO, broken: int) -> bool:
        """After a record that cannot be: what a cut chunk still holds, or the next chunk.

        True where the summary tells of one, at which the file then stands.
        """
        following = min((at for at in self._chunk_offsets if broken < at < self._size), default=0)
        if following:
            self.losses.lost_bytes += following - broken
            self.losses.report_loss(
                f"{self.path.name}: damaged at byte {broken}; read on at byte {following}"
            )
            file.seek(following)
            return True
        file.seek(broken)
        head = file.read(9)
        if len(head) == 9 and head[0] == CHUNK:
            chunk = self._chunk_at(file, broken + 9, self._size)
            if chunk.offset + chunk.length > self._size or not self._has_summary:
                self._add_chunk(chunk, {})
                self.losses.report_loss(
                    f"{self.path.name}: ends in the middle of a chunk; read as far as it goes"
                )
                return False
        if broken < self._size:
            self.losses.lost_bytes += self._size - broken
            self.losses.report_loss(
                f"{self.path.name}: damaged from byte {broken} on; "
                f"{self._size - broken} bytes are not read"
            )
        return False

    def _chunk_at(self, file: BinaryIO, offset: int, end: int) -> _Chunk:
        file.seek(offset)
        head = file.read(_CHUNK.size + 4)
        if len(head) < _CHUNK.size + 4:
            return _Chunk(end, 0, "", 0, 0, True)
        _, _, size, crc = _CHUNK.unpack(head[:-4])
        name = file.read(min(struct.unpack("<I", head[-4:])[0], 16))
        length = int.from_bytes(file.read(8), "little")
        start = file.tell()
        return _Chunk(start, min(length, end - start), name.decode("ascii", "replace"), size, crc,
                      length > end - start)  # fmt: skip

    def _declare(self, opcode: int, content: bytes) -> None:
        try:
            if opcode == SCHEMA:
                number, fields = struct.unpack_from("<H", content)[0], _Strings(content, 2)
                name, _, definition = fields.text(), fields.text(), fields.text()
                self._schemas[number] = (name, definition)
            elif opcode == CHANNEL:
                number, schema = struct.unpack_from("<HH", content)
                fields = _Strings(content, 4)
                topic, encoding = fields.text(), fields.text().lower()
                name, definition = self._schemas.get(schema, ("unknown", ""))
                if encoding == ROS1:
                    name = normalize_msgtype(name)
                self.channels[number] = Channel(topic, name, encoding, definition)
        except (struct.error, ValueError):
            self.losses.broken("(declaration)", "a schema or channel record is damaged")

    def _add_chunk(self, chunk: _Chunk, index: dict[int, list[int]]) -> None:
        if not index or any(number not in self.channels for number in index):
            self._add_read_chunk(chunk)
            return
        state = self.segments.copy()
        keys = [
            self.segments.key(self._topic(number), time)
            for number, times in index.items()
            for time in times
        ]
        for number, times in index.items():
            self.counts[number] = self.counts.get(number, 0) + len(times)
        self._add_block(chunk, state, min(keys), len(keys))

    def _add_read_chunk(self, chunk: _Chunk) -> None:
        state = self.segments.copy()
        messages = self._parse(self._unpack(chunk), self.segments, declare=True)
        for number, _ in messages:
            self.counts[number] = self.counts.get(number, 0) + 1
        if messages:
            first = min(message.key for _, message in messages)
            self._add_block(chunk, state, first, len(messages))

    def _add_block(self, chunk: _Chunk, state: Segments, first: Key, count: int) -> None:
        def load() -> list[Stored]:
            found = [m for _, m in self._parse(self._unpack(chunk, count), state.copy())]
            return sorted(found, key=lambda message: message.key)

        self.blocks.append(Block(first, count, load))

    def _add_loose(self, content: bytes, offset: int) -> None:
        if len(content) < _MESSAGE.size:
            self.losses.broken("(message)", "a message record is too short")
            return
        number, _, time, _ = _MESSAGE.unpack_from(content)
        if number not in self.channels:
            self.losses.broken("(message)", "a message of a channel that is not declared")
            return
        key = self.segments.key(self._topic(number), time)
        self.counts[number] = self.counts.get(number, 0) + 1
        self._loose.append((key, number, offset + _MESSAGE.size, len(content) - _MESSAGE.size))
        self._loose_bytes += len(content)
        if self._loose_bytes > LOOSE_BLOCK:
            self._end_loose()

    def _end_loose(self) -> None:
        if not self._loose:
            return
        parts, self._loose, self._loose_bytes = self._loose, [], 0

        def load() -> list[Stored]:
            found = []
            with self.path.open("rb") as file:
                for key, number, offset, length in parts:
                    file.seek(offset)
                    channel = self.channels[number]
                    found.append(Stored(key, channel.topic, channel.type, file.read(length)))
            return sorted(found, key=lambda message: message.key)

        self.blocks.append(Block(min(part[0] for part in parts), len(parts), load))

    def _topic(self, number: int) -> str:
        return self.channels[number].topic

    # Chunks.

    def _unpack(self, chunk: _Chunk, expected: int = 0) -> bytes:
        """The records of a chunk; where it is damaged what can be read of them."""
        with self.path.open("rb") as file:
            file.seek(chunk.offset)
            packed = file.read(chunk.length)
        try:
            data = UNPACK[chunk.compression](packed, chunk.size)
        except KeyError:
            self.losses.chunk(expected, f"compression {chunk.compression!r} is not known")
            return b""
        if chunk.cut:
            return data
        if chunk.crc and zlib.crc32(data) != chunk.crc:
            self.losses.chunk(expected, "its checksum is wrong")
            return b""
        if len(data) != chunk.size:
            self.losses.chunk(expected, "it cannot be unpacked")
            return b""
        return data

    def _parse(
        self, data: bytes, segments: Segments, declare: bool = False
    ) -> list[tuple[int, Stored]]:
        found = []
        position, end = 0, len(data)
        while position + 9 <= end:
            opcode, length = _RECORD.unpack_from(data, position)
            position += 9
            if length > end - position:
                break
            if opcode == MESSAGE and length >= _MESSAGE.size:
                number, _, time, _ = _MESSAGE.unpack_from(data, position)
                channel = self.channels.get(number)
                if channel is not None:
                    content = data[position + _MESSAGE.size : position + length]
                    key = segments.key(channel.topic, time)
                    found.append((number, Stored(key, channel.topic, channel.type, content)))
            elif declare:
                self._declare(opcode, data[position : position + length])
            position += length
        return found


def end_file(path: Path) -> None:
    """Cut a file behind its last whole record and end it there, without a summary.

    Raises:
        OSError: it cannot be written.
    """
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        end = file.seek(len(MAGIC))
        while len(head := file.read(_RECORD.size)) == _RECORD.size:
            opcode, length = _RECORD.unpack(head)
            if opcode in (0, FOOTER, DATA_END) or length > size - end - _RECORD.size:
                break
            end = file.seek(end + _RECORD.size + length)
        file.truncate(end)
        file.seek(end)
        file.write(_RECORD.pack(DATA_END, 4) + bytes(4))
        file.write(_RECORD.pack(FOOTER, FOOTER_LENGTH) + bytes(FOOTER_LENGTH) + MAGIC)


class _Strings:
    """Reads length-prefixed texts one after the other."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data, self._position = data, position

    def text(self) -> str:
        length = struct.unpack_from("<I", self._data, self._position)[0]
        start = self._position + 4
        if length > len(self._data) - start:
            raise ValueError("text is longer than its record")
        self._position = start + length
        return self._data[start : self._position].decode("utf-8", "replace")


def _read_index(content: bytes, into: dict[int, list[int]]) -> None:
    if len(content) < 6:
        return
    number, length = struct.unpack_from("<HI", content)
    entries = content[6 : 6 + length - length % 16]
    times = [time for time, _ in struct.iter_unpack("<QQ", entries[: len(entries) // 16 * 16])]
    if times:
        into.setdefault(number, []).extend(times)


def _unpack_zstd(data: bytes, size: int) -> bytes:
    try:
        return zstd.decompress(data)
    except zstd.ZstdError:
        return b""


def _unpack_lz4(data: bytes, size: int) -> bytes:
    try:
        return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data))
    except RuntimeError:
        return b""


UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "": lambda data, size: data,
    "zstd": _unpack_zstd,
    "lz4": _unpack_lz4,
}
