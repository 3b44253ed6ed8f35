"""A bag of several files of which the oldest go: the last seconds or megabytes of a recording."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from pathlib import Path

from vla_contract.recording import BagWriter, RecordingError
from vla_contract.stamps import NANOSECONDS
from vla_contract.topics import Qos
from vla_replay.bags.bag_storage import Losses
from vla_replay.bags.blocks import Segments
from vla_replay.bags.mcap_reader import McapFile, end_file
from vla_replay.record.bag_metadata import BagFile, write_metadata

UNLIMITED_SPLIT = 4_000_000_000  # bytes of a file where nothing is dropped


class FileWriter(BagWriter):
    """Writes one file of a bag of several: it has no metadata.yaml of its own."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError where the file cannot be made."""
        super().__init__(path.with_name(f".{path.stem}"))
        self.path = self.path.rename(path)
        self.folder.rmdir()

    def close(self) -> None:
        """Write what is left."""
        try:
            self.folder.mkdir()
            super().close()
        except OSError as error:
            raise RecordingError(f"bag {self.path}: {error.strerror}") from error
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


class Ring:
    """Writes files of a bag into a folder, and its metadata.yaml from the first message on.

    Attributes:
        files: those that are kept, oldest first, the one being written included. dropped: files
        that went.
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
        self._writer: FileWriter | None = None  # of the last file
        self._number = 0
        self.files: list[BagFile] = []
        self.dropped = 0

    @property
    def count(self) -> int:
        """Messages that are kept."""
        return sum(file.counts.total() for file in self.files)

    @property
    def size(self) -> int:
        """Bytes of the messages that are kept."""
        return sum(file.size for file in self.files)

    def add_topic(self, topic: str, kind: str, qos: Qos | None = None) -> None:
        """Tell the type of a topic before its first message."""
        self._types[topic] = (kind, qos)

    def write(self, topic: str, data: bytes, stamp: int) -> None:
        """A serialised message, received at `stamp`, ns.

        Raises:
            RecordingError: it cannot be written.
        """
        writer = self._writer or self._begin(stamp)
        if not writer.has(topic):
            writer.add_topic(topic, *self._types[topic])
        writer.write(topic, data, stamp)
        file = self.files[-1]
        file.first, file.last = min(file.first, stamp), max(file.last, stamp)
        file.size += len(data)
        file.counts[topic] += 1
        if self._full(file):
            self.split()

    def _begin(self, stamp: int) -> FileWriter:
        path = self._folder / f"{self._folder.name}_{self._number}.mcap"
        self._writer = FileWriter(path)
        self._number += 1
        self.files.append(BagFile(path, stamp, stamp))
        self._write_metadata()
        return self._writer

    def _full(self, file: BagFile) -> bool:
        if self._keep and file.last - file.first >= self._keep // self._splits:
            return True
        limit = self._keep_size // self._splits if self._keep_size else UNLIMITED_SPLIT
        return file.size >= limit

    def flush(self) -> None:
        """Let readers find what was recorded so far, also after a crash.

        Raises:
            RecordingError: it cannot be written.
        """
        if self._writer is not None:
            self._writer.flush()
            self._write_metadata()

    def _write_metadata(self) -> None:
        write_metadata(self._folder, self.files, self._types)

    def split(self) -> None:
        """Finish the present file, and remove those that are too old.

        Raises:
            RecordingError: it cannot be written.
        """
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.close()
        except RecordingError as error:
            writer.abandon()
            self._keep_what_is_there(self.files[-1], error)
        old = self._too_old()
        del self.files[: len(old)]
        self.dropped += len(old)
        self._write_metadata()
        for file in old:
            file.path.unlink(missing_ok=True)

    def _keep_what_is_there(self, file: BagFile, error: RecordingError) -> None:
        """The file cannot be finished (the disk is full): end it where it is whole, and tell."""
        end_file(file.path)
        kept = McapFile(file.path, Segments(), Losses())
        written = file.counts.total()
        file.counts = Counter({topic.name: topic.count for topic in kept.topics.values()})
        with contextlib.suppress(RecordingError):
            self._write_metadata()
        raise RecordingError(
            f"{error}; {file.counts.total()} of {written} messages of its last file are kept in "
            f"{file.path}"
        ) from error

    def _too_old(self) -> list[BagFile]:
        """The oldest files without which enough is left."""
        newest, left = self.files[-1].last, self.size
        for number, (file, following) in enumerate(zip(self.files, self.files[1:], strict=False)):
            left -= file.size
            if not (
                (self._keep and newest - following.first >= self._keep)
                or (self._keep_size and left >= self._keep_size)
            ):
                return self.files[:number]
        return self.files[:-1]

    def close(self) -> None:
        """Finish."""
        self.split()
