"""A bag of several files of which the oldest go: the last seconds or megabytes of a recording."""

from __future__ import annotations

import shutil
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from vla_contract.recording import BagWriter, RecordingError
from vla_contract.stamps import NANOSECONDS
from vla_contract.topics import Qos
from vla_replay.bags.bag_storage import Losses
from vla_replay.bags.blocks import Segments
from vla_replay.bags.mcap_reader import McapFile, end_file

UNLIMITED_SPLIT = 4_000_000_000  # bytes of a file where nothing is dropped


@dataclass(frozen=True)
class RingFile:
    """A finished file. first, last: ns, times in it."""

    path: Path
    first: int
    last: int
    size: int


class Ring:
    """Writes files of a bag into a folder; each of them is a whole MCAP file.

    Attributes:
        files: the finished ones that are kept. count: messages in what is kept and in the one
        being written. dropped: files that went.
    """

    def __init__(
        self, folder: Path, *, seconds: float = 0.0, size: int = 0, splits: int = 4
    ) -> None:
        """Keep at least the last `seconds` (s) or about `size` (bytes); 0 and 0: everything."""
        self._folder = folder
        self._keep = round(seconds * NANOSECONDS)
        self._keep_size = size
        self._splits = splits
        self._types: dict[str, tuple[str, Qos | None]] = {}
        self._bag: BagWriter | None = None
        self._number = 0
        self._first = self._last = self._bytes = 0
        self._counts: dict[Path, int] = {}
        self.files: deque[RingFile] = deque()
        self.dropped = 0

    @property
    def count(self) -> int:
        """Messages that are kept."""
        return sum(self._counts.values()) + (self._bag.count if self._bag else 0)

    @property
    def size(self) -> int:
        """Bytes of the finished files."""
        return sum(file.size for file in self.files)

    def add_topic(self, topic: str, kind: str, qos: Qos | None = None) -> None:
        """Tell the type of a topic before its first message."""
        self._types[topic] = (kind, qos)

    def write(self, topic: str, data: bytes, stamp: int) -> None:
        """A serialised message, received at `stamp`, ns.

        Raises:
            RecordingError: it cannot be written.
        """
        if self._bag is None:
            self._bag = BagWriter(self._folder / f"part_{self._number:04d}")
            self._number += 1
            self._first, self._last, self._bytes = stamp, stamp, 0
        if not self._bag.has(topic):
            self._bag.add_topic(topic, *self._types[topic])
        self._bag.write(topic, data, stamp)
        self._last = max(self._last, stamp)
        self._bytes += len(data)
        if self._full():
            self.split()

    def _full(self) -> bool:
        if self._keep and self._last - self._first >= self._keep // self._splits:
            return True
        limit = self._keep_size // self._splits if self._keep_size else UNLIMITED_SPLIT
        return self._bytes >= limit

    def split(self) -> None:
        """Finish the present file, and remove those that are too old."""
        bag, self._bag = self._bag, None
        if bag is None:
            return
        target = self._folder / f"{bag.folder.name}.mcap"
        try:
            try:
                bag.close()
            except RecordingError as error:
                bag.abandon()
                self._keep_what_is_there(bag, target, error)
            (bag.folder / f"{bag.folder.name}.mcap").replace(target)
            shutil.rmtree(bag.folder, ignore_errors=True)
        except OSError as error:
            raise RecordingError(f"bag {bag.folder}: {error.strerror}") from error
        self._counts[target] = bag.count
        self.files.append(RingFile(target, self._first, self._last, target.stat().st_size))
        self._drop_old()

    def _keep_what_is_there(self, bag: BagWriter, target: Path, error: RecordingError) -> None:
        """The file cannot be finished (the disk is full): end it where it is whole, and tell."""
        file = (bag.folder / target.name).replace(target)
        shutil.rmtree(bag.folder, ignore_errors=True)
        end_file(file)
        kept = McapFile(file, Segments(), Losses())
        count = sum(topic.count for topic in kept.topics.values())
        raise RecordingError(
            f"{error}; {count} of {bag.count} messages of its last file are kept in {target}"
        ) from error

    def _drop_old(self) -> None:
        while len(self.files) > 1 and self._may_go(self.files[1]):
            old = self.files.popleft()
            self._counts.pop(old.path)
            old.path.unlink(missing_ok=True)
            self.dropped += 1

    def _may_go(self, second: RingFile) -> bool:
        """Without the oldest file enough is left."""
        if self._keep:
            return self._last - second.first >= self._keep
        return bool(self._keep_size) and self.size - self.files[0].size >= self._keep_size

    def close(self) -> None:
        """Finish."""
        self.split()
