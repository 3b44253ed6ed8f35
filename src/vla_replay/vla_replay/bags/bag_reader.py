"""Any bag by its path: ROS 2 (sqlite3 or MCAP, a file or a folder, compressed or not) and ROS 1."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vla_replay.bags import zstd
from vla_replay.bags.bag_files import COMPRESSED, ROS1_BAG, Metadata, bag_files, check_content
from vla_replay.bags.bag_storage import BagError, Losses, Topic, unread
from vla_replay.bags.blocks import Block, Segments, Stored, merged
from vla_replay.bags.cdr_fields import CdrError
from vla_replay.bags.conversion import Conversion
from vla_replay.bags.mcap_reader import McapFile
from vla_replay.bags.message_codec import Codec
from vla_replay.bags.ros1_reader import Ros1Bag
from vla_replay.bags.sqlite_reader import SqliteFile

FILES = {".mcap": McapFile, ".db3": SqliteFile}
ENDS = 64  # bytes
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


@dataclass
class Bag:
    """A bag that is open. Its messages are read while they are asked for, in constant memory.

    topics: by name; one with a `problem` has no message that can be read. notes: what its recorder
    wrote beside it. losses: complete once the messages were read. jumps: times that its clock
    jumped back.
    """

    path: Path
    topics: dict[str, Topic]
    losses: Losses
    notes: dict[str, str] = field(default_factory=dict)
    jumps: int = 0
    disorder: int = 0
    _conversions: dict[str, Conversion] = field(default_factory=dict)
    _blocks: list[Block] = field(default_factory=list)
    _ros1: Ros1Bag | None = None
    _temporary: tempfile.TemporaryDirectory[str] | None = None
    _known: Counter[tuple[str, str]] | None = None  # lost when it was opened
    _digest: Any = field(default_factory=hashlib.sha256)

    @property
    def count(self) -> int:
        """Messages in it."""
        return sum(topic.count for topic in self.topics.values())

    def messages(self, wanted: Container[str] | None = None) -> Iterator[Stored]:
        """Messages as nodes of this machine take them (CDR), in order of segment and time.

        Each pass counts its losses anew: what cannot be read, and what does not fit its type.

        Args:
            wanted: topics; None: all.
        """
        if self._known is None:
            self._known = Counter(self.losses.messages)
        self.losses.messages.clear()
        self.losses.messages.update(self._known)
        self._digest = hashlib.sha256()
        for message in self._read():
            size = len(message.data)
            self._digest.update(f"{message.topic} {message.key.time} {size} ".encode())
            self._digest.update(message.data[-ENDS:])
            if wanted is None or message.topic in wanted:
                converted = self._converted(message)
                if converted is not None:
                    yield converted

    def read(self, message: Stored) -> Any:
        """A message of `messages` as an object; None, and counted, where it is broken.

        Fields are named as in the definition, arrays are NumPy's.
        """
        try:
            return self._conversions[message.topic].read(message.data)
        except CdrError as error:
            self.losses.broken(message.topic, f"broken message: {error}")
            return None

    def _converted(self, message: Stored) -> Stored | None:
        topic = self.topics[message.topic]
        problem = topic.problem
        if not problem and message.type != topic.type:
            problem = f"of another type ({message.type}) than the rest ({topic.type})"
        if problem:
            self.losses.broken(message.topic, problem)
            return None
        try:
            data = self._conversions[message.topic].cdr(message.data)
        except CdrError as error:
            self.losses.broken(message.topic, f"broken message: {error}")
            return None
        return message if data is message.data else replace(message, data=data)

    def fingerprint(self) -> str:
        """Of the messages that the last pass has read: topic, time, size and last bytes of each.

        SHA-256, hexadecimal. Not of all bytes, which would take longer than to read them.
        """
        return self._digest.hexdigest()

    def _read(self) -> Iterator[Stored]:
        if self._ros1 is not None:
            yield from self._ros1.messages()
            return
        for message in merged(self._blocks):
            if message.data[:4] == ZSTD_MAGIC:  # compressed one by one; CDR begins otherwise
                try:
                    message = replace(message, data=zstd.decompress(message.data))
                except zstd.ZstdError:
                    self.losses.broken(message.topic, "it cannot be decompressed")
                    continue
            yield message

    def close(self) -> None:
        """Remove what was decompressed into a temporary folder."""
        if self._ros1 is not None:
            self._ros1.close()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> Bag:
        """Itself; closed at the end of the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()


def open_bag(path: Path) -> Bag:
    """Open a bag and list its topics.

    Raises:
        BagError: there is none, it is of no known kind, or it holds no message that can be read.
    """
    losses = Losses()
    files, metadata = bag_files(path, losses)
    temporary = None
    if any(file.suffix in COMPRESSED for file in files):
        temporary = tempfile.TemporaryDirectory(prefix="vla_bag_")
    bag = Bag(path, {}, losses, metadata.notes, _temporary=temporary)
    try:
        if temporary is not None:
            files = [_unpacked(file, Path(temporary.name), losses) for file in files]
        _open_files(bag, files, metadata)
        _convert(bag, metadata.distribution)
    except BaseException:
        bag.close()
        raise
    return bag


def _convert(bag: Bag, distribution: str) -> None:
    """Compare what the bag holds with what is installed; refuse it where nothing can be read."""
    codec = Codec()
    for name, topic in bag.topics.items():
        conversion = Conversion(topic, distribution, codec)
        bag._conversions[name] = conversion
        bag.topics[name] = replace(topic, problem=conversion.problem, note=conversion.note)
    filled = [topic for topic in bag.topics.values() if topic.count]
    if any(not topic.problem for topic in filled):
        return
    reasons = [*bag.losses.lines, *unread(filled)]
    why = f" ({'; '.join(reasons)})" if reasons else ""
    raise BagError(f"{bag.path}: the bag holds no message that can be read{why}")


def _open_files(bag: Bag, files: list[Path], metadata: Metadata) -> None:
    for file in files:
        check_content(file)
    if files[0].suffix == ROS1_BAG:
        bag._ros1 = Ros1Bag(files, bag.losses)
        bag.topics = bag._ros1.topics
        return
    losses = bag.losses
    segments = Segments()
    refused: list[BagError] = []
    for file in files:
        try:
            opened = FILES[file.suffix](file, segments, losses)
        except BagError as error:
            refused.append(error)
            continue
        except OSError as error:
            raise BagError(f"{file}: {error.strerror}") from error
        bag._blocks += opened.blocks
        metadata.distribution = metadata.distribution or getattr(opened, "distribution", "")
        for name, topic in opened.topics.items():
            before = bag.topics[name].count if name in bag.topics else 0
            bag.topics[name] = replace(topic, count=topic.count + before)
    if refused and not bag._blocks:
        raise refused[0]
    for refusal in refused:
        losses.report_loss(f"left out: {refusal}")
    bag.jumps, bag.disorder = segments.jumps, segments.disorder
    if segments.jumps:
        losses.report_loss(
            f"time jumps back on {segments.jumps} topic(s) or times, as in a looped recording: "
            "what follows each jump is replayed as another episode"
        )
    if segments.disorder:
        losses.report_loss(
            f"{segments.disorder} messages were stored out of order; sorted by their time"
        )


def _unpacked(file: Path, folder: Path, losses: Losses) -> Path:
    if file.suffix not in COMPRESSED:
        return file
    target = folder / file.stem
    try:
        with file.open("rb") as packed, target.open("wb") as unpacked:
            zstd.copy(packed, unpacked)
    except zstd.ZstdError:
        losses.report_loss(f"{file.name}: the compressed file is damaged; read as far as it goes")
    except OSError as error:
        raise BagError(f"{file}: cannot be decompressed: {error.strerror}") from error
    return target
