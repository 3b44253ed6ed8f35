"""Demonstrations of Meta-World's scripted experts, executed through the robot's own limits."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_contract.images import resize_area
from vla_learning.dataset_writer import open_writer
from vla_learning.demonstrations import Demonstration
from vla_learning.settings import Settings
from vla_safety.limits import MotionLimiter
from vla_sim.environment import STEP_LIMIT, MetaworldEnvironment

Array = npt.NDArray[np.float64]
Progress = Callable[[int], None]

# An expert that fails this often (share of the seeds) is not worth imitating.
GIVE_UP = 0.5


class CollectError(RuntimeError):
    """Demonstrations that cannot be collected; the message names the task and the count."""


def observe_state(environment: MetaworldEnvironment) -> npt.NDArray[np.float32]:
    """(4,) hand position in base_link, m, and gripper opening 0..1: as the graph's observation."""
    state = environment.state()
    return np.append(state.end_effector, state.gripper_opening).astype(np.float32)


def observe_images(environment: MetaworldEnvironment, settings: Settings) -> npt.NDArray[np.uint8]:
    """(N, h, w, 3) uint8 rgb: rendered and resized as in the graph."""
    pictures = environment.render()
    return np.stack(
        [resize_area(pictures[c], settings.height, settings.width) for c in settings.cameras]
    )


def noise_bursts(rng: np.random.Generator, ticks: int, width: int, scale: float) -> Array:
    """(ticks, width) offsets of the first three dimensions, m/s: constant during each burst.

    Bursts of 5 to 15 ticks (up to 0.2 s) with 10 to 35 ticks between them, in which the expert
    recovers; a jitter of independent samples would average out and teach nothing.
    """
    offsets = np.zeros((ticks, width))
    tick = int(rng.integers(0, 12))
    while tick < ticks:
        length = int(rng.integers(5, 16))
        offsets[tick : tick + length, :3] = rng.normal(0.0, scale, 3)
        tick += length + int(rng.integers(10, 36))
    return offsets


def is_noisy(seed: int, fraction: float) -> bool:
    """Spread the noisy episodes evenly over the seeds."""
    return int((seed + 1) * fraction) > int(seed * fraction)


def record(
    environment: MetaworldEnvironment, task: str, seed: int, settings: Settings, space: ActionSpace
) -> Demonstration:
    """Run one expert episode; the same for the same task, seed and settings."""
    collect = settings.collect
    rng = np.random.default_rng([seed, 122])
    noisy = is_noisy(seed, collect.noisy_fraction)
    offsets = noise_bursts(rng, STEP_LIMIT, space.width, collect.noise if noisy else 0.0)
    limiter = MotionLimiter(space)
    limiter.reset()
    environment.reset(task, seed)
    images, image_ticks, state, requested, executed = [], [], [], [], []
    success = -1
    for tick in range(STEP_LIMIT):
        if tick % collect.image_period == 0:
            images.append(observe_images(environment, settings))
            image_ticks.append(tick)
            state.append(observe_state(environment))
        request = environment.expert_action()
        # Once it has succeeded the noise is over: what follows shows a finished task.
        offset = offsets[tick] if success < 0 else 0.0
        safe = limiter.step(request + offset).safe
        result = environment.step(safe[:3], safe[3])
        requested.append(request)
        executed.append(safe)
        if success < 0 and result.success:
            success = tick + 1
        if success >= 0 and tick + 1 >= success + collect.ticks_after_success:
            break
    return Demonstration(
        images=np.stack(images),
        image_ticks=np.array(image_ticks, np.int64),
        state=np.stack(state),
        requested=np.array(requested, np.float32),
        executed=np.array(executed, np.float32),
        success_tick=success,
        noisy=noisy,
        seed=seed,
        task=task,
        command=settings.commands[task][0],
    )


def collect_task(task: str, folder: Path, settings: Settings, space: ActionSpace) -> Iterator[int]:
    """Record a task's episodes, skipping those already there; yields each seed that is done.

    Raises:
        CollectError: the expert fails too often.
    """
    collect = settings.collect
    writer = open_writer(folder, settings, space)
    present = writer.seeds(task)
    done, failed, seed = 0, 0, collect.first_seed
    if len(present) >= collect.episodes:
        yield from sorted(present)[: collect.episodes]
        return
    environment = MetaworldEnvironment(cameras=settings.cameras)
    try:
        while done < collect.episodes:
            there = seed in present
            if not there:
                demonstration = record(environment, task, seed, settings, space)
                there = demonstration.success_tick >= 0
                if there:
                    writer.stage(demonstration)
            if there:
                done += 1
                yield seed
            else:
                failed += 1
            if failed > GIVE_UP * collect.episodes:
                raise CollectError(
                    f"the expert of {task} failed {failed} times in {done + failed} episodes; "
                    "is the action space too slow for it? ./vla learn limits tells"
                )
            seed += 1
    finally:
        environment.close()


def collect_all(
    folder: Path, settings: Settings, space: ActionSpace, jobs: int, progress: Progress
) -> int:
    """Record every task of the config, tasks side by side in `jobs` processes; then the dataset.

    progress: called with the number of episodes that are there.

    Returns:
        Number of episodes in the dataset.

    Raises:
        CollectError: an expert fails too often.
        DemonstrationError: the folder cannot be used.
    """
    writer = open_writer(folder, settings, space)
    before = sum(len(writer.seeds(task)) for task in settings.tasks) - len(writer.staged())
    if jobs == 1:
        for task in settings.tasks:
            for _ in collect_task(task, folder, settings, space):
                progress(before + len(writer.staged()))
        return writer.finish(settings.tasks)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = {
            pool.submit(_collect_job, task, folder, settings, space) for task in settings.tasks
        }
        while waiting:
            finished, waiting = wait(waiting, timeout=1.0, return_when=FIRST_EXCEPTION)
            progress(before + len(writer.staged()))
            for future in finished:
                if future.exception() is not None:
                    for other in waiting:
                        other.cancel()
                future.result()
    return writer.finish(settings.tasks)


def _collect_job(task: str, folder: Path, settings: Settings, space: ActionSpace) -> None:
    for _ in collect_task(task, folder, settings, space):
        pass
