"""Demonstrations of the simulator's tasks: which episodes, by how many workers, and where to."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vla_contract.action_space import ActionSpace
from vla_learning.collect.episode_recording import record
from vla_learning.data.dataset_writer import DatasetWriter, episode_files, open_writer
from vla_learning.data.demonstrations import LANDMARKS, Demonstration
from vla_learning.data.lerobot_format import Recipe
from vla_learning.learning_settings import Settings
from vla_learning.workers import Task, Workers
from vla_sim.robot.robots import robot_with
from vla_sim.robot.simulated_robot import SimulatedRobot

Progress = Callable[[int], None]
Recorder = Callable[[SimulatedRobot, str, int, Settings, ActionSpace], Demonstration]

# Failures of an expert, over the episodes that are wanted, from which it is not worth imitating.
# Some of the experts of Meta-World's fifty lose two of three.
GIVE_UP = 4.0


class CollectError(RuntimeError):
    """Demonstrations that cannot be collected; the message names the task and the count."""


@dataclass(frozen=True)
class Job:
    """What to collect, and with what.

    checkpoint: of the policy that begins the episodes; None: the expert alone.
    """

    folder: Path
    settings: Settings
    space: ActionSpace
    checkpoint: Path | None = None

    @property
    def episodes(self) -> int:
        """Wanted of each task."""
        collect = self.settings.collect
        return collect.relabelled_episodes if self.checkpoint else collect.episodes

    @property
    def first_seed(self) -> int:
        """Seeds count from here."""
        collect = self.settings.collect
        return collect.relabelled_first_seed if self.checkpoint else collect.first_seed

    def writer(self) -> DatasetWriter:
        """Of the dataset."""
        return open_writer(self.folder, self.settings, self.space, LANDMARKS)

    def present(self, writer: DatasetWriter, task: str) -> set[int]:
        """Seeds of a task that are there, of this kind of episodes."""
        end = None if self.checkpoint else self.settings.collect.relabelled_first_seed
        return {s for s in writer.seeds(task) if s >= self.first_seed and (not end or s < end)}

    def recorder(self) -> Recorder:
        """A checkpoint is loaded for it; raises CheckpointError, BackendError."""
        if self.checkpoint is None:
            return record
        from vla_learning.collect.relabelling import Relabeller

        return Relabeller(self.checkpoint)


def collect_all(job: Job, workers: Workers, progress: Progress) -> int:
    """Record every task of the config, episodes side by side; then the dataset.

    Which episodes the dataset has depends on seeds alone, wherever they were recorded: of each
    task the first ones at which the recorder succeeds.

    progress: called with the number of episodes that are there.

    Returns:
        Number of episodes in the dataset.

    Raises:
        CollectError: an expert fails too often.
        DemonstrationError: the folder cannot be used.
        WorkersError: the workers cannot be had.
    """
    writer, tasks = job.writer(), job.settings.tasks
    present = {task: job.present(writer, task) for task in tasks}
    count = sum(map(len, present.values()))
    todo: deque[tuple[tuple[str, int], Task]] = deque()
    next_seed: dict[str, int] = {}
    failed = dict.fromkeys(tasks, 0)

    def add(task: str, seeds: range) -> None:
        next_seed[task] = seeds.stop
        todo.extend(
            ((task, seed), (_record, task, seed, job))
            for seed in seeds
            if seed not in present[task]
        )

    for task in tasks:
        if len(present[task]) < job.episodes:
            add(task, range(job.first_seed, job.first_seed + job.episodes))
    try:
        with workers.open() as pool:
            for (task, seed), files in pool.as_completed(todo):
                if files is not None:
                    writer.stage_files(task, seed, files)
                    count += 1
                    progress(count)
                    continue
                failed[task] += 1
                if failed[task] > GIVE_UP * job.episodes:
                    raise CollectError(
                        f"the expert of {task} failed {failed[task]} times in "
                        f"{next_seed[task] - job.first_seed} episodes; "
                        "is the action space too slow for it? ./vla learn limits tells"
                    )
                add(task, range(next_seed[task], next_seed[task] + 1))
    finally:
        _close()
    return writer.finish(tasks)


# Of a worker: recorder and robot by checkpoint and cameras.
_equipment: dict[tuple[Path | None, tuple[str, ...]], tuple[Recorder, SimulatedRobot]] = {}


def _record(task: str, seed: int, job: Job) -> dict[str, bytes] | None:
    """The files of an episode; None where it does not succeed. A worker keeps its equipment."""
    key = job.checkpoint, tuple(job.settings.cameras)
    if key not in _equipment:
        recorder = job.recorder()
        _equipment[key] = recorder, robot_with(task, job.settings.cameras)
    recorder, environment = _equipment[key]
    demonstration = recorder(environment, task, seed, job.settings, job.space)
    if demonstration.success_tick < 0:
        return None
    return episode_files(demonstration, Recipe.of(job.settings, job.space, LANDMARKS))


def _close() -> None:
    """Free the renderers of this process."""
    while _equipment:
        _equipment.popitem()[1][1].close()
