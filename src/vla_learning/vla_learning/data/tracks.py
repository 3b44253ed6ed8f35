"""Episodes of a LeRobot dataset in the terms of the config: SI units, rows of an action chunk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace, ActionSpaceError
from vla_contract.language.spoken_text import words as split
from vla_learning.data import dataset_fit as fit
from vla_learning.data import lerobot_format as form
from vla_learning.data.dataset_fit import Column
from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.data.lerobot_reader import Episode, LeRobotDataset
from vla_learning.learning_settings import Settings

Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Track:
    """One episode. Positions count rows of a chunk (`chunk_period`) from the episode's start.

    task: index in the config. frames: (F,) positions of the pictures. state: (F, S) SI.
    landmarks: (F, K), m; K is 0 where the dataset has none.
    at: (L,) positions of the actions, rising. actions: (L, D) SI. success: position.
    """

    episode: Episode
    task: int
    frames: Float
    state: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    at: Float
    actions: Float
    success: float


class Tracks:
    """All episodes of a dataset that the config uses, in the dataset's order."""

    def __init__(self, folder: Path, settings: Settings, space: ActionSpace) -> None:
        """Open the dataset and check that it fits.

        Raises:
            DemonstrationError: it does not: a camera, a name, a unit, a rate or a task.
        """
        self.dataset = LeRobotDataset(folder)
        self._settings = settings
        self._stored = _stored_space(folder)
        known = self._stored is not None
        mapping = settings.dataset
        self.cameras = [
            fit.camera_feature(self.dataset, name, mapping.cameras) for name in settings.cameras
        ]
        self._state = fit.entries(
            self.dataset, form.STATE, settings.state_names, mapping.state, known
        )
        self._action = fit.entries(
            self.dataset, form.ACTION, space.dimension_names, mapping.action, known
        )
        fit.check_units(self.dataset, self._action, space, self._stored)
        self._ticks = self._stored is not None and self.dataset.has(form.REQUESTED)
        step = self._stored.chunk_period if self._stored and self._ticks else 1 / self.dataset.fps
        self._ratio = fit.rows_a_step(self.dataset, space, step)
        self._tasks = self._task_of_words()

    def __iter__(self) -> Iterator[Track]:
        """Every episode of a task of the config, of each at most as many as `collect` asks for."""
        counts = [0] * len(self._settings.tasks)
        collect = self._settings.collect
        wanted = collect.episodes + collect.relabelled_episodes
        limit = wanted if self._stored is not None else None
        for episode in self.dataset.episodes:
            task = self._task(episode)
            if task is None or counts[task] == limit:
                continue
            counts[task] += 1
            yield self._track(episode, task)
        for name, count in zip(self._settings.tasks, counts, strict=True):
            if not count:
                raise DemonstrationError(
                    f"no demonstrations of {name} in {self.dataset.folder}; make them with "
                    "./vla learn collect, or take it from the config's commands"
                )

    def _track(self, episode: Episode, task: int) -> Track:
        column = self.dataset.column
        state = _pick(self.dataset, episode, self._state)
        if self._stored is not None and self._ticks:
            frames = column(episode, form.TICK) * self._ratio
            counts = column(episode, form.ROW_COUNT)
            rows = column(episode, form.REQUESTED).reshape(episode.length, -1, self._stored.width)
            kept = np.arange(rows.shape[1]) < counts[:, None]
            order = np.array([column.index for column in self._action])
            actions = rows[kept][:, order].astype(np.float64)
            ticks = column(episode, form.TICK)[:, None] + np.arange(rows.shape[1])
            at = ticks[kept] * self._ratio
            success = int(column(episode, form.SUCCESS_TICK)[0]) * self._ratio
        else:
            frames = at = np.arange(episode.length, dtype=np.float64) * self._ratio
            actions = _pick(self.dataset, episode, self._action)
            success = self._success(episode)
        for what, values in (("state", state), ("action", actions)):
            if not np.isfinite(values).all():
                raise DemonstrationError(
                    f"{episode.data}: {what} of episode {episode.index} has values that are not "
                    "finite"
                )
        end = float(at[-1]) + 1.0
        return Track(
            episode,
            task,
            np.asarray(frames, np.float64),
            state.astype(np.float32),
            self._landmarks(episode),
            at.astype(np.float64),
            actions,
            success if success >= 0 else end,
        )

    def _landmarks(self, episode: Episode) -> npt.NDArray[np.float32]:
        if not self.dataset.has(form.LANDMARKS):
            return np.zeros((episode.length, 0), np.float32)
        return self.dataset.column(episode, form.LANDMARKS).astype(np.float32)

    def _success(self, episode: Episode) -> float:
        """Position at which the task was fulfilled; -1: not told, so at the end."""
        if not self.dataset.has(form.SUCCESS):
            return -1.0
        done = np.flatnonzero(self.dataset.column(episode, form.SUCCESS).reshape(episode.length))
        return float(done[0] + 1) * self._ratio if len(done) else -1.0

    # Tasks.

    def _task_of_words(self) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for number, (task, wordings) in enumerate(self._settings.commands.items()):
            for words in (task, *wordings):
                found.setdefault(plain(words), number)
        for words, name in self._settings.dataset.tasks.items():
            if name is not None and name not in self._settings.tasks:
                raise DemonstrationError(
                    f"dataset.tasks maps {words!r} to {name!r}; accepted: "
                    f"{', '.join(self._settings.tasks)}, or null"
                )
            found[plain(words)] = None if name is None else self._settings.tasks.index(name)
        return found

    def _task(self, episode: Episode) -> int | None:
        """Index of the episode's task; None where the config leaves it out."""
        if self.dataset.has(form.TASK_NAME) and self._stored is not None:
            name = str(self.dataset.column(episode, form.TASK_NAME)[0])
            return self._settings.tasks.index(name) if name in self._settings.tasks else None
        words = episode.tasks[0] if episode.tasks else ""
        if plain(words) not in self._tasks:
            raise DemonstrationError(
                f"{self.dataset.folder}: episode {episode.index} has the task {words!r}, which is "
                "none of the config's commands; add it there, or to dataset.tasks (null leaves it "
                "out)"
            )
        return self._tasks[plain(words)]


def plain(words: str) -> str:
    """Words as they are compared: without case, signs and double spaces."""
    return " ".join(split(words))


def _pick(dataset: LeRobotDataset, episode: Episode, wanted: list[Column]) -> Float:
    """(F, n) in SI units."""
    values: dict[str, Float] = {}
    for name in {each.feature for each in wanted}:
        values[name] = dataset.column(episode, name).reshape(episode.length, -1).astype(np.float64)
    columns = [values[e.feature][:, e.index] * e.scale + e.offset for e in wanted]
    return np.stack(columns, axis=1)


def _stored_space(folder: Path) -> ActionSpace | None:
    """The action space that a dataset was recorded with; None: it is somebody else's."""
    path = folder / form.ACTION_SPACE
    if not path.is_file():
        return None
    try:
        return ActionSpace.load(path)
    except ActionSpaceError as error:
        raise DemonstrationError(str(error)) from error
