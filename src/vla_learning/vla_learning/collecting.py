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
from vla_learning.demonstrations import Demonstration, demonstration_path, find_demonstrations
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
    phase = int(rng.integers(0, collect.image_period))
    limiter = MotionLimiter(space)
    limiter.reset()
    environment.reset(task, seed)
    images, image_ticks, requested, executed = [], [], [], []
    state = [observe_state(environment)]
    success = -1
    for tick in range(STEP_LIMIT):
        # The first tick is always seen; otherwise the phase differs between episodes.
        if tick == 0 or tick % collect.image_period == phase:
            images.append(observe_images(environment, settings))
            image_ticks.append(tick)
        request = environment.expert_action()
        # Once it has succeeded the noise is over: what follows shows a finished task.
        offset = offsets[tick] if success < 0 else 0.0
        safe = limiter.step(request + offset).safe
        result = environment.step(safe[:3], safe[3])
        requested.append(request)
        executed.append(safe)
        state.append(observe_state(environment))
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
    )


def collect_task(task: str, folder: Path, settings: Settings, space: ActionSpace) -> Iterator[int]:
    """Record a task's episodes, skipping those already there; yields each seed that is done.

    Raises:
        CollectError: the expert fails too often.
    """
    collect = settings.collect
    done, failed, seed = 0, 0, collect.first_seed
    environment = MetaworldEnvironment(cameras=settings.cameras)
    try:
        while done < collect.episodes:
            path = demonstration_path(folder, task, seed)
            if not path.exists():
                demonstration = record(environment, task, seed, settings, space)
                if demonstration.success_tick >= 0:
                    demonstration.save(path)
            if path.exists():
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
) -> None:
    """Record every task of the config, tasks side by side in `jobs` processes.

    progress: called with the number of episodes that are there.

    Raises:
        CollectError: an expert fails too often.
    """
    if jobs == 1:
        for task in settings.tasks:
            for _ in collect_task(task, folder, settings, space):
                progress(_count(folder, settings))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = {
            pool.submit(_collect_job, task, folder, settings, space) for task in settings.tasks
        }
        while waiting:
            finished, waiting = wait(waiting, timeout=1.0, return_when=FIRST_EXCEPTION)
            progress(_count(folder, settings))
            for future in finished:
                if future.exception() is not None:
                    for other in waiting:
                        other.cancel()
                future.result()


def _collect_job(task: str, folder: Path, settings: Settings, space: ActionSpace) -> None:
    for _ in collect_task(task, folder, settings, space):
        pass


def _count(folder: Path, settings: Settings) -> int:
    return sum(len(find_demonstrations(folder, task)) for task in settings.tasks)
