"""metadata.yaml of a bag of several files, as `ros2 bag` of Humble and Jazzy reads it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rosbags.rosbag2.metadata import dump_qos_v8

from vla_contract.recording import METADATA_VERSION, RecordingError, definition, qos_profiles
from vla_contract.topics import Qos
from vla_replay.bags.bag_files import METADATA


@dataclass
class BagFile:
    """A file of a bag. first, last: ns, times in it; size: bytes of messages; counts: by topic."""

    path: Path
    first: int
    last: int
    size: int = 0
    counts: Counter[str] = field(default_factory=Counter)


def write_metadata(
    folder: Path, files: Sequence[BagFile], types: Mapping[str, tuple[str, Qos | None]]
) -> None:
    """Write it in the place of the one that is there, which stays whole until then.

    types: topic → type and what its publishers offer.

    Raises:
        RecordingError: it cannot be written.
    """
    content = {"rosbag2_bagfile_information": _information(files, types)}
    scratch = folder / f".{METADATA}"
    try:
        scratch.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        scratch.replace(folder / METADATA)
    except OSError as error:
        raise RecordingError(f"bag {folder}: {METADATA}: {error.strerror}") from error


def _information(
    files: Sequence[BagFile], types: Mapping[str, tuple[str, Qos | None]]
) -> dict[str, Any]:
    counts = sum((file.counts for file in files), Counter[str]())
    return {
        "version": METADATA_VERSION,
        "storage_identifier": "mcap",
        **_times(files),
        "message_count": counts.total(),
        "topics_with_message_count": [
            {"topic_metadata": _topic(name, *types[name]), "message_count": count}
            for name, count in sorted(counts.items())
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [file.path.name for file in files],
        "files": [
            {"path": file.path.name, **_times([file]), "message_count": file.counts.total()}
            for file in files
        ],
        "custom_data": {},
        "ros_distro": os.environ.get("ROS_DISTRO", ""),
    }


def _times(files: Sequence[BagFile]) -> dict[str, Any]:
    first = min(file.first for file in files)
    return {
        "starting_time": {"nanoseconds_since_epoch": first},
        "duration": {"nanoseconds": max(file.last for file in files) - first},
    }


def _topic(name: str, kind: str, qos: Qos | None) -> dict[str, str]:
    return {
        "name": name,
        "type": kind,
        "serialization_format": "cdr",
        "offered_qos_profiles": dump_qos_v8(qos_profiles(qos)),
        "type_description_hash": definition(kind).hash,
    }
