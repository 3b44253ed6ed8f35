"""Puts staged episodes behind those of a LeRobot dataset. Needs PyAV and pyarrow.

Data and videos come first, under names that nothing refers to yet; then `meta` is changed at once.
Whoever is stopped in between leaves the dataset as it was, and begins anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vla_learning.data import feature_statistics as statistics
from vla_learning.data import lerobot_format as form
from vla_learning.data.dataset_tables import (
    Record,
    read_table,
    read_tasks,
    to_table,
    write_episodes,
    write_tasks,
)
from vla_learning.data.frame_video import join
from vla_learning.data.lerobot_format import Recipe

ROWS, SUMMARY = "rows.parquet", "summary.json"
OLD, NEXT = ".old", ".next"  # of `meta`, while it changes
_MEGABYTE = 1 << 20


class Assembly:
    """Of one dataset folder, once."""

    def __init__(self, folder: Path, recipe: Recipe, about: dict[str, str]) -> None:
        self.folder = folder
        self.recipe = recipe
        self.features = recipe.features()
        self._about = about
        self._present = (folder / form.INFO).exists()
        self.info: Record = form.read_json(folder / form.INFO) if self._present else self._empty()
        self.tasks = read_tasks(folder) if self._present else []
        # Each assembly writes one file of episodes and one of data.
        self._batch = len(list(folder.glob(form.EPISODE_FILES)))

    def add(self, episodes: Sequence[Path], progress: Callable[[int], None]) -> None:
        """Add episodes, staged in these folders, in this order; progress: is told how many."""
        summaries = [form.read_json(each / SUMMARY) for each in episodes]
        for summary in summaries:
            if summary["command"] not in self.tasks:
                self.tasks.append(summary["command"])
        records = self._records(summaries)
        self._write_data(episodes, records)
        for camera in self.recipe.cameras:
            self._write_videos(camera, episodes, records)
        self._write_meta(records, summaries)
        progress(len(records))

    def _empty(self) -> Record:
        return {
            "codebase_version": form.VERSION,
            "robot_type": None,
            "total_episodes": 0,
            "total_frames": 0,
            "total_tasks": 0,
            "chunks_size": form.FILES_A_CHUNK,
            "data_files_size_in_mb": form.DATA_MEGABYTES,
            "video_files_size_in_mb": form.VIDEO_MEGABYTES,
            "fps": self.recipe.fps,
            "splits": {},
            "data_path": form.DATA,
            "video_path": form.VIDEO,
            "features": self.features,
        }

    def _records(self, summaries: Sequence[Record]) -> list[Record]:
        """Rows of meta/episodes, without their files and statistics."""
        records: list[Record] = []
        begin = self.info["total_frames"]
        for number, summary in enumerate(summaries):
            records.append(
                {
                    "episode_index": self.info["total_episodes"] + number,
                    "tasks": [summary["command"]],
                    "length": summary["length"],
                    "dataset_from_index": begin,
                    "dataset_to_index": begin + summary["length"],
                }
            )
            begin += summary["length"]
        return records

    def _write_data(self, episodes: Sequence[Path], records: list[Record]) -> None:
        """One file with a row group for each episode: they are a few kilobytes each."""
        import pyarrow.parquet as parquet

        path, place = self._numbered(form.DATA, self._batch)
        writer = None
        for each, record in zip(episodes, records, strict=True):
            record.update({f"data/{key}": value for key, value in place.items()})
            count = record["length"]
            indices = {
                "episode_index": np.full(count, record["episode_index"]),
                "index": np.arange(count) + record["dataset_from_index"],
                "task_index": np.full(count, self.tasks.index(record["tasks"][0])),
            }
            table = read_table(each / ROWS)
            more = to_table(indices, self.features)
            for name in indices:
                table = table.append_column(name, more[name])
            writer = writer or parquet.ParquetWriter(path, table.schema, compression="snappy")
            writer.write_table(table)
        assert writer is not None
        writer.close()

    def _write_videos(self, camera: str, episodes: Sequence[Path], records: list[Record]) -> None:
        key = form.IMAGES + camera
        fps = Fraction(self.recipe.fps)
        number = self._next_video(key)
        files = [each / f"{camera}.mp4" for each in episodes]
        for begin, end in _groups([file.stat().st_size for file in files]):
            path, place = self._numbered(form.VIDEO, number, video_key=key)
            lengths = [record["length"] for record in records[begin:end]]
            join(files[begin:end], lengths, fps, path)
            first = 0
            for record, length in zip(records[begin:end], lengths, strict=True):
                record.update({f"videos/{key}/{name}": value for name, value in place.items()})
                record[f"videos/{key}/from_timestamp"] = float(first / fps)
                record[f"videos/{key}/to_timestamp"] = float((first + length) / fps)
                first += length
            number += 1

    def _next_video(self, key: str) -> int:
        used = [-1]
        for path in self.folder.glob(form.EPISODE_FILES):
            names = [f"videos/{key}/chunk_index", f"videos/{key}/file_index"]
            table = read_table(path, names)
            chunks, files = (table[name].to_pylist() for name in names)
            used += [c * form.FILES_A_CHUNK + f for c, f in zip(chunks, files, strict=True)]
        return max(used) + 1

    def _write_meta(self, records: list[Record], summaries: Sequence[Record]) -> None:
        """Make the new `meta` in a folder of its own, then put it in the old one's place."""
        meta, old, next_ = self.folder / "meta", self.folder / OLD, self.folder / NEXT
        shutil.rmtree(next_, ignore_errors=True)
        if self._present:
            shutil.copytree(meta, next_ / "meta")
        for record, summary in zip(records, summaries, strict=True):
            for name, lists in summary["statistics"].items():
                record.update({f"stats/{name}/{kind}": value for kind, value in lists.items()})
            record["meta/episodes/chunk_index"] = 0
            record["meta/episodes/file_index"] = self._batch
        write_episodes(next_ / form.EPISODES.format(file_index=self._batch), records)
        write_tasks(next_, self.tasks)
        form.write_json(next_ / form.STATS, self._statistics(summaries))
        form.write_json(next_ / form.INFO, self._totals(records))
        for name, text in self._about.items():
            (next_ / name).parent.mkdir(parents=True, exist_ok=True)
            (next_ / name).write_text(text, encoding="utf-8")
        if self._present:
            os.replace(meta, old)
        os.replace(next_ / "meta", meta)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(next_)

    def _statistics(self, summaries: Sequence[Record]) -> Record:
        parts = [summary["statistics"] for summary in summaries]
        if self._present:
            parts.insert(0, form.read_json(self.folder / form.STATS))
        return {
            name: statistics.as_lists(
                statistics.together([statistics.as_arrays(part[name]) for part in parts])
            )
            for name in parts[0]
        }

    def _totals(self, records: Sequence[Record]) -> Record:
        episodes = self.info["total_episodes"] + len(records)
        return {
            **self.info,
            "total_episodes": episodes,
            "total_frames": records[-1]["dataset_to_index"],
            "total_tasks": len(self.tasks),
            "splits": {"train": f"0:{episodes}"},
        }

    def _numbered(self, pattern: str, number: int, **names: str) -> tuple[Path, dict[str, Any]]:
        chunk, file = divmod(number, form.FILES_A_CHUNK)
        place = {"chunk_index": chunk, "file_index": file}
        path = self.folder / pattern.format(**place, **names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path, place


def _groups(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of videos that fit into one file each."""
    begin = total = 0
    for number, size in enumerate(sizes):
        if total + size > form.VIDEO_MEGABYTES * _MEGABYTE and number > begin:
            yield begin, number
            begin, total = number, 0
        total += size
    yield begin, len(sizes)
