"""Writes a LeRobot dataset: episodes one by one, put together at the end. Needs PyAV, pyarrow.

An episode is staged in a folder of its own, which appears whole or not at all; its files may come
from any process or machine, and one that was killed goes on where it was. `finish` puts the staged
episodes behind those that the dataset has, in an order that depends on seeds and tasks alone: the
same episodes give the same files, byte for byte, whoever recorded them when.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

from vla_contract.action_space import ActionSpace
from vla_learning.data import feature_statistics as statistics
from vla_learning.data import lerobot_format as form
from vla_learning.data.dataset_assembly import NEXT, OLD, ROWS, SUMMARY, Assembly
from vla_learning.data.dataset_tables import read_table, write_rows
from vla_learning.data.demonstrations import Demonstration, DemonstrationError
from vla_learning.data.frame_video import encode
from vla_learning.data.lerobot_format import Recipe
from vla_learning.data.lerobot_reader import LeRobotDataset
from vla_learning.learning_settings import Settings

STAGING = ".staging"


@dataclass(frozen=True)
class Staged:
    """An episode that waits to be put into the dataset."""

    folder: Path
    task: str
    seed: int


class DatasetWriter:
    """Of one folder. about: files that are kept in the dataset, path in it → content."""

    def __init__(self, folder: Path, recipe: Recipe, about: dict[str, str]) -> None:
        """Open a dataset or begin one.

        Raises:
            DemonstrationError: the folder holds something else, or a dataset of another kind.
        """
        self.folder = folder
        self.recipe = recipe
        self.features = recipe.features()
        self._about = about
        self._recover()
        self._check()

    def stage(self, demonstration: Demonstration) -> None:
        """Keep an episode for `finish`; one of the same task and seed is replaced.

        Raises:
            DemonstrationError: it does not fit the recipe.
        """
        files = episode_files(demonstration, self.recipe)
        self.stage_files(demonstration.task, demonstration.seed, files)

    def stage_files(self, task: str, seed: int, files: Mapping[str, bytes]) -> None:
        """As `stage`, of what `episode_files` made, here or on another machine."""
        final = self._stage(task, seed)
        partial = final.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in files.items():
            (partial / name).write_bytes(content)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(partial, final)

    def seeds(self, task: str) -> set[int]:
        """Seeds of a task that are there, staged or in the dataset."""
        staged = {(each.task, each.seed) for each in self.staged()}
        return {seed for name, seed in staged | self._recorded() if name == task}

    def _recorded(self) -> set[tuple[str, int]]:
        """Task and seed of every episode in the dataset."""
        if not (self.folder / form.INFO).exists():
            return set()
        found: set[tuple[str, int]] = set()
        names = [form.TASK_NAME, form.SEED]
        for path in {episode.data for episode in LeRobotDataset(self.folder).episodes}:
            table = read_table(path, names)
            found |= set(zip(*(table[name].to_pylist() for name in names), strict=True))
        return found

    def staged(self) -> list[Staged]:
        """Episodes that wait for `finish`, by task and seed."""
        return [
            Staged(path, path.parent.name, int(path.name))
            for path in sorted((self.folder / STAGING).glob("*/*"))
            if path.name.isdigit()
        ]

    def finish(self, tasks: Sequence[str], progress: Callable[[int], None] | None = None) -> int:
        """Put what is staged into the dataset; returns how many episodes the dataset has.

        tasks: in the order in which episodes of one seed come. progress: told the episodes done.

        Raises:
            DemonstrationError: nothing is staged, and there is no dataset.
        """
        order = {task: number for number, task in enumerate(tasks)}
        # Whoever was stopped at the very end has left staged what the dataset has already.
        recorded = self._recorded()
        new = [each for each in self.staged() if (each.task, each.seed) not in recorded]
        new.sort(key=lambda e: (e.seed, order.get(e.task, len(order)), e.task))
        if new:
            Assembly(self.folder, self.recipe, self._about).add(
                [each.folder for each in new], progress or (lambda count: None)
            )
        elif not recorded:
            raise DemonstrationError(f"{self.folder}: no episode to write")
        shutil.rmtree(self.folder / STAGING, ignore_errors=True)
        return int(form.read_json(self.folder / form.INFO)["total_episodes"])

    def _stage(self, task: str, seed: int) -> Path:
        return self.folder / STAGING / task / f"{seed:06d}"

    def _recover(self) -> None:
        """Somebody was stopped between the two renames that change `meta`."""
        meta, old = self.folder / "meta", self.folder / OLD
        if old.exists() and not meta.exists():
            os.replace(old, meta)
        shutil.rmtree(old, ignore_errors=True)
        shutil.rmtree(self.folder / NEXT, ignore_errors=True)

    def _check(self) -> None:
        path = self.folder / form.INFO
        if not path.exists():
            own = (STAGING, "data", "videos", ".cache")
            others = [path.name for path in self.folder.glob("*") if path.name not in own]
            if others:
                raise DemonstrationError(
                    f"{self.folder} holds other things ({', '.join(sorted(others)[:5])}); "
                    "accepted: a new folder, or a dataset that was written here"
                )
            return
        info = form.read_json(path)
        for name, value in (("fps", self.recipe.fps), ("features", self.features)):
            if info.get(name) != value:
                raise DemonstrationError(
                    f"{self.folder} is a dataset of another kind: its {name} differ"
                    f"{_difference(info.get(name), value)}; give another folder"
                )


def episode_files(demonstration: Demonstration, recipe: Recipe) -> dict[str, bytes]:
    """The content of a staged episode by file name: rows, a video for each camera, a summary.

    Raises:
        DemonstrationError: it does not fit the recipe.
    """
    columns = form.columns(demonstration, recipe)
    count = len(columns[form.TICK])
    features = recipe.features()
    found = {
        name: statistics.as_lists(statistics.of_values(values))
        for name, values in columns.items()
        if features[name]["dtype"] != "string"
    }
    with tempfile.TemporaryDirectory(prefix="vla_episode_") as made:
        folder = Path(made)
        for index, camera in enumerate(recipe.cameras):
            frames = demonstration.images[:count, index]
            encode(frames, Fraction(recipe.fps), folder / f"{camera}.mp4")
            found[form.IMAGES + camera] = statistics.as_lists(statistics.of_images(frames))
        write_rows(folder / ROWS, columns, features)
        summary = {"length": count, "command": demonstration.command, "statistics": found}
        form.write_json(folder / SUMMARY, summary)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def _difference(present: Any, wanted: Any) -> str:
    """Which entry of two features, or which number."""
    if not isinstance(present, dict) or not isinstance(wanted, dict):
        return f" ({present!r}, not {wanted!r})"
    for name in (*wanted, *present):
        if present.get(name) != wanted.get(name):
            return f" ({name})"
    return ""


def open_writer(
    folder: Path, settings: Settings, space: ActionSpace, landmarks: tuple[str, ...] = ()
) -> DatasetWriter:
    """The dataset that episodes of a config go to; config and action space are kept in it.

    landmarks: their names, where the episodes have them.

    Raises:
        DemonstrationError: the folder holds something else.
    """
    about = {
        form.CONFIG: yaml.safe_dump(dict(settings.source), sort_keys=False, allow_unicode=True),
        form.ACTION_SPACE: settings.action_space.read_text(encoding="utf-8"),
    }
    return DatasetWriter(folder, form.Recipe.of(settings, space, landmarks), about)
