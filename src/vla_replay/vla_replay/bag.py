"""Any bag by its path: ROS 2 (sqlite3 or MCAP, a file or a folder, compressed or not) and ROS 1."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from vla_replay import zstd
from vla_replay.blocks import Block, Segments, Stored, merged
from vla_replay.mcap import McapFile
from vla_replay.ros1 import Ros1Bag
from vla_replay.sqlite import SqliteFile
from vla_replay.storage import BagError, Losses, Topic

FILES = {".mcap": McapFile, ".db3": SqliteFile}
COMPRESSED = (".zstd", ".zst")
ENDS = 64  # bytes
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ACCEPTED = (
    "a folder or a file of rosbag2 (.mcap, .db3; .zstd behind it), or a ROS 1 bag (.bag), "
    "one file or a folder"
)


@dataclass
class Bag:
    """A bag that is open. Its messages are read while they are asked for, in constant memory.

    topics: by name. losses: complete once the messages were read. start, end: ns, least and
    greatest time in it; 0 where it is empty. jumps: times that its clock jumped back.
    """

    path: Path
    topics: dict[str, Topic]
    losses: Losses
    jumps: int = 0
    disorder: int = 0
    _blocks: list[Block] = field(default_factory=list)
    _ros1: Ros1Bag | None = None
    _temporary: tempfile.TemporaryDirectory[str] | None = None
    _known: Counter[tuple[str, str]] | None = None  # lost when it was opened
    _digest: Any = field(default_factory=hashlib.sha256)

    @property
    def count(self) -> int:
        """Messages that can be read."""
        return sum(topic.count for topic in self.topics.values())

    def messages(self) -> Iterator[Stored]:
        """All messages in order of segment and time. Each pass counts its losses anew."""
        if self._known is None:
            self._known = Counter(self.losses.messages)
        self.losses.messages.clear()
        self.losses.messages.update(self._known)
        self._digest = hashlib.sha256()
        for message in self._read():
            size = len(message.data)
            self._digest.update(f"{message.topic} {message.key.time} {size} ".encode())
            self._digest.update(message.data[-ENDS:])
            yield message

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
        BagError: there is none, it is of no known kind, or it holds no message.
    """
    losses = Losses()
    files = _files(path, losses)
    if any(file.suffix == ".bag" for file in files):
        ros1 = Ros1Bag(files)
        bag = Bag(path, ros1.topics, ros1.losses, _ros1=ros1)
    else:
        bag = _open_files(path, files, losses)
    if not bag.count:
        bag.close()
        why = f" ({'; '.join(losses.lines)})" if losses.lines else ""
        raise BagError(f"{path}: the bag holds no message that can be read{why}")
    return bag


def _open_files(path: Path, files: list[Path], losses: Losses) -> Bag:
    segments = Segments()
    topics: dict[str, Topic] = {}
    blocks: list[Block] = []
    temporary = None
    if any(file.suffix in COMPRESSED for file in files):
        temporary = tempfile.TemporaryDirectory(prefix="vla_bag_")
        files = [_unpacked(file, Path(temporary.name), losses) for file in files]
    refused: list[BagError] = []
    for file in files:
        try:
            opened = FILES[file.suffix](file, segments, losses)
        except BagError as error:
            refused.append(error)
            continue
        except OSError as error:
            raise BagError(f"{file}: {error.strerror}") from error
        blocks += opened.blocks
        for name, topic in opened.topics.items():
            before = topics[name].count if name in topics else 0
            topics[name] = replace(topic, count=topic.count + before)
    if refused and not blocks:
        raise refused[0]
    for refusal in refused:
        losses.note(f"left out: {refusal}")
    if segments.jumps:
        losses.note(
            f"time jumps back on {segments.jumps} topic(s) or times, as in a looped recording: "
            "what follows each jump is replayed as another episode"
        )
    if segments.disorder:
        losses.note(f"{segments.disorder} messages were stored out of order; sorted by their time")
    return Bag(path, topics, losses, segments.jumps, segments.disorder, blocks, None, temporary)


def _files(path: Path, losses: Losses) -> list[Path]:
    if not path.exists():
        raise BagError(f"{path}: there is no such file; accepted: {ACCEPTED}")
    if path.is_file():
        if path.stat().st_size == 0:
            raise BagError(f"{path}: the file is empty")
        if _kind(path) not in (*FILES, ".bag"):
            raise BagError(f"{path}: no bag by its name; accepted: {ACCEPTED}")
        return [path]
    files = sorted(
        (file for file in path.iterdir() if _kind(file) in (*FILES, ".bag")), key=_natural
    )
    named = _named_in_metadata(path, losses)
    missing = [name for name in named if name not in {file.name for file in files}]
    if missing:
        losses.note(f"metadata.yaml names files that are missing: {', '.join(missing)}")
    if named:
        # In the order in which they were recorded, whatever their names are.
        files.sort(key=lambda file: named.index(file.name) if file.name in named else len(named))
        if others := [file.name for file in files if file.name not in named]:
            losses.note(
                f"metadata.yaml does not name {', '.join(others)}; read after those that it names"
            )
    files = [file for file in files if file.stat().st_size]
    if not files:
        raise BagError(f"{path}: the folder holds no bag file; accepted: {ACCEPTED}")
    ros1 = [file for file in files if file.suffix == ".bag"]
    return ros1 or files


def _kind(file: Path) -> str:
    return Path(file.stem).suffix if file.suffix in COMPRESSED else file.suffix


def _natural(file: Path) -> tuple[int, str]:
    """rosbag2 numbers its files: _0, _1, …, _10."""
    digits = file.name.split(".")[0].rpartition("_")[2]
    return (int(digits) if digits.isdigit() else 0, file.name)


def _named_in_metadata(folder: Path, losses: Losses) -> list[str]:
    file = folder / "metadata.yaml"
    if not file.is_file():
        losses.note(f"{folder.name} has no metadata.yaml; its files are read without it")
        return []
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8", errors="replace"))
        names = content["rosbag2_bagfile_information"]["relative_file_paths"]
        return [Path(str(name)).name for name in names]
    except (yaml.YAMLError, KeyError, TypeError, OSError):
        losses.note("metadata.yaml is damaged; the files are read without it")
        return []


def _unpacked(file: Path, folder: Path, losses: Losses) -> Path:
    if file.suffix not in COMPRESSED:
        return file
    target = folder / file.stem
    try:
        with file.open("rb") as packed, target.open("wb") as unpacked:
            zstd.copy(packed, unpacked)
    except zstd.ZstdError:
        losses.note(f"{file.name}: the compressed file is damaged; read as far as it goes")
    except OSError as error:
        raise BagError(f"{file}: cannot be decompressed: {error.strerror}") from error
    return target
