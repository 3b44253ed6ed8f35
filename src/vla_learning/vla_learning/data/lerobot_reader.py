"""Reads LeRobot datasets, v3.0 and v2.1, whoever wrote them. Needs PyAV and pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vla_learning.data import lerobot_format as form
from vla_learning.data.dataset_tables import read_table, read_tasks
from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.data.frame_video import VideoError, VideoReader

VERSIONS = ("v3.0", "v2.1")
_LEGACY_EPISODES, _LEGACY_TASKS = "meta/episodes.jsonl", "meta/tasks.jsonl"


@dataclass(frozen=True)
class FrameLocation:
    """Where frames are: a file, and the first of them in it."""

    path: Path
    first: int


@dataclass(frozen=True)
class Episode:
    """One episode; videos: feature → location. tasks: words, one or more."""

    index: int
    length: int
    tasks: tuple[str, ...]
    data: Path
    videos: dict[str, FrameLocation]


class LeRobotDataset:
    """A dataset folder, open for reading."""

    def __init__(self, folder: Path) -> None:
        """Read its metadata.

        Raises:
            DemonstrationError: there is none, it is broken, or of a version that is not known.
        """
        self.folder = folder
        if not (folder / form.INFO).is_file():
            raise DemonstrationError(
                f"{folder} is no LeRobot dataset: it has no {form.INFO}"
                + ("; recording was interrupted, give the same command again"
                   if (folder / ".staging").exists() else "")
            )  # fmt: skip
        info = form.read_json(folder / form.INFO)
        try:
            self.version = str(info["codebase_version"])
            self.fps = float(info["fps"])
            self.features: form.Features = dict(info["features"])
            self._data, self._video = str(info["data_path"]), str(info.get("video_path"))
            self._chunk = int(info.get("chunks_size", form.FILES_A_CHUNK))
            self.version_known = self.version in VERSIONS
        except (KeyError, TypeError, ValueError) as error:
            raise DemonstrationError(
                f"{folder / form.INFO}: no valid {error}; accepted: an info.json of LeRobot"
            ) from error
        if not self.version_known or self.fps <= 0:
            raise DemonstrationError(
                f"{folder}: version {self.version}, {self.fps} frames a second; accepted: "
                f"{' and '.join(VERSIONS)}, more than 0"
            )
        try:
            self.episodes = self._episodes() if self.version == "v3.0" else self._legacy_episodes()
        except (KeyError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, DemonstrationError):
                raise
            raise DemonstrationError(f"{folder}: its list of episodes lacks {error}") from error
        self._table: tuple[Path, Any] | None = None
        self._episode: tuple[int, Any] | None = None
        self._readers: dict[str, VideoReader] = {}

    def names(self, feature: str) -> list[str]:
        """Names of a feature's entries; empty where the dataset has none."""
        return flat_names(self.features[feature].get("names"))

    def has(self, feature: str) -> bool:
        """It has such a feature."""
        return feature in self.features

    def column(self, episode: Episode, feature: str) -> npt.NDArray[Any]:
        """Values of an episode: (F,), or (F, n); words as objects.

        Raises:
            DemonstrationError: the file is broken, or has another number of rows.
        """
        table = self._rows(episode)
        if feature not in table.column_names:
            raise DemonstrationError(f"{episode.data}: no column {feature}")
        values = np.array(table[feature].to_pylist())
        if len(values) != episode.length:
            raise DemonstrationError(
                f"{episode.data}: {len(values)} rows of episode {episode.index}; the dataset says "
                f"{episode.length}"
            )
        return values

    def frames(self, episode: Episode, feature: str) -> Iterator[npt.NDArray[np.uint8]]:
        """Pictures of an episode, each (h, w, 3) uint8 rgb.

        Raises:
            DemonstrationError: they cannot be read.
        """
        if feature not in episode.videos:
            yield from self._pictures(episode, feature)
            return
        location = episode.videos[feature]
        reader = self._readers.get(feature)
        if reader is None or reader.path != location.path:
            if reader is not None:
                reader.close()
            reader = self._readers[feature] = VideoReader(location.path)
        try:
            yield from reader.read(location.first, episode.length)
        except VideoError as error:
            raise DemonstrationError(f"episode {episode.index}: {error}") from error

    def close(self) -> None:
        """Close the files."""
        for reader in self._readers.values():
            reader.close()

    def _rows(self, episode: Episode) -> Any:
        import pyarrow.compute as compute

        if self._episode is not None and self._episode[0] == episode.index:
            return self._episode[1]
        if self._table is None or self._table[0] != episode.data:
            self._table = (episode.data, read_table(episode.data))
        table = self._table[1]
        if "episode_index" not in table.column_names:
            raise DemonstrationError(f"{episode.data}: no column episode_index")
        rows = table.filter(compute.equal(table["episode_index"], episode.index))
        self._episode = (episode.index, rows)
        return rows

    def _pictures(self, episode: Episode, feature: str) -> Iterator[npt.NDArray[np.uint8]]:
        for row, value in enumerate(self._rows(episode)[feature].to_pylist()):
            data = (value or {}).get("bytes")
            picture = None
            if data:
                picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if picture is None:
                raise DemonstrationError(
                    f"{episode.data}: row {row} of {feature} in episode {episode.index} is no "
                    "picture; accepted: PNG or JPEG in the file"
                )
            yield np.asarray(picture[:, :, ::-1], np.uint8)

    def _video_features(self) -> list[str]:
        return [name for name, each in self.features.items() if each.get("dtype") == "video"]

    def _episodes(self) -> list[Episode]:
        records: list[dict[str, Any]] = []
        for path in sorted(self.folder.glob(form.EPISODE_FILES)):
            table = read_table(path)
            kept = [name for name in table.column_names if not name.startswith("stats/")]
            records += table.select(kept).to_pylist()
        return [
            Episode(
                int(r["episode_index"]),
                int(r["length"]),
                tuple(r["tasks"]),
                self.folder
                / self._data.format(
                    chunk_index=r["data/chunk_index"], file_index=r["data/file_index"]
                ),
                {key: self._location(r, key) for key in self._video_features()},
            )
            for r in sorted(records, key=lambda r: int(r["episode_index"]))
        ]

    def _location(self, record: dict[str, Any], key: str) -> FrameLocation:
        path = self._video.format(
            video_key=key,
            chunk_index=record[f"videos/{key}/chunk_index"],
            file_index=record[f"videos/{key}/file_index"],
        )
        return FrameLocation(
            self.folder / path, round(record[f"videos/{key}/from_timestamp"] * self.fps)
        )

    def _legacy_episodes(self) -> list[Episode]:
        """v2.1: a data file and a video a camera for each episode, metadata as lines of JSON."""
        episodes = []
        for record in _lines(self.folder / _LEGACY_EPISODES):
            index = int(record["episode_index"])
            where = {"episode_chunk": index // self._chunk, "episode_index": index}
            videos = {
                key: FrameLocation(self.folder / self._video.format(video_key=key, **where), 0)
                for key in self._video_features()
            }
            data = self.folder / self._data.format(**where)
            episodes.append(
                Episode(index, int(record["length"]), tuple(record["tasks"]), data, videos)
            )
        return sorted(episodes, key=lambda episode: episode.index)

    def tasks(self) -> list[str]:
        """All tasks, in words."""
        if self.version == "v3.0":
            return read_tasks(self.folder)
        return [str(record["task"]) for record in _lines(self.folder / _LEGACY_TASKS)]


def flat_names(names: Any) -> list[str]:
    """Names as a list; some datasets group them: {"motors": ["a", "b"]}."""
    if isinstance(names, dict):
        groups: Sequence[Any] = list(names.values())
        if all(isinstance(group, list) for group in groups):
            return [str(name) for group in groups for name in group]
        return [str(name) for name in names]
    return [str(name) for name in names or []]


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except OSError as error:
        raise DemonstrationError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DemonstrationError(f"{path}: not JSON: {error}") from error
