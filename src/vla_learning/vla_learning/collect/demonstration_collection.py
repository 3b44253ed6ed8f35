"""Demonstrations of Meta-World's tasks: which episodes, in how many processes, and where to."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from vla_contract.action_space import ActionSpace
from vla_learning.collect.episode_recording import record
from vla_learning.data.dataset_writer import DatasetWriter, open_writer
from vla_learning.data.demonstrations import LANDMARKS, Demonstration
from vla_learning.learning_settings import Settings
from vla_sim.robot.metaworld_robot import MetaworldEnvironment

Progress = Callable[[int], None]
Recorder = Callable[[MetaworldEnvironment, str, int, Settings, ActionSpace], Demonstration]

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


def collect_task(task: str, job: Job) -> Iterator[int]:
    """Record a task's episodes, skipping those already there; yields each seed that is done.

    Raises:
        CollectError: the expert fails too often.
    """
    writer = job.writer()
    present = job.present(writer, task)
    done, failed, seed = 0, 0, job.first_seed
    if len(present) >= job.episodes:
        yield from sorted(present)[: job.episodes]
        return
    recorder = job.recorder()
    environment = MetaworldEnvironment(cameras=job.settings.cameras)
    try:
        while done < job.episodes:
            there = seed in present
            if not there:
                demonstration = recorder(environment, task, seed, job.settings, job.space)
                there = demonstration.success_tick >= 0
                if there:
                    writer.stage(demonstration)
            if there:
                done += 1
                yield seed
            else:
                failed += 1
            if failed > GIVE_UP * job.episodes:
                raise CollectError(
                    f"the expert of {task} failed {failed} times in {done + failed} episodes; "
                    "is the action space too slow for it? ./vla learn limits tells"
                )
            seed += 1
    finally:
        environment.close()


def collect_all(job: Job, jobs: int, progress: Progress) -> int:
    """Record every task of the config, tasks side by side in `jobs` processes; then the dataset.

    progress: called with the number of episodes that are there.

    Returns:
        Number of episodes in the dataset.

    Raises:
        CollectError: an expert fails too often.
        DemonstrationError: the folder cannot be used.
    """
    writer, tasks = job.writer(), job.settings.tasks
    before = sum(len(job.present(writer, task)) for task in tasks) - len(writer.staged())
    if jobs == 1:
        for task in tasks:
            for _ in collect_task(task, job):
                progress(before + len(writer.staged()))
        return writer.finish(tasks)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = {pool.submit(_collect_whole, task, job) for task in tasks}
        while waiting:
            finished, waiting = wait(waiting, timeout=1.0, return_when=FIRST_EXCEPTION)
            progress(before + len(writer.staged()))
            for future in finished:
                if future.exception() is not None:
                    for other in waiting:
                        other.cancel()
                future.result()
    return writer.finish(tasks)


def _collect_whole(task: str, job: Job) -> None:
    for _ in collect_task(task, job):
        pass
