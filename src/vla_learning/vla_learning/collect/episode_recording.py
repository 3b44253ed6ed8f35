"""One episode, executed through the robot's own limits and labelled by the scripted expert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_contract.image_pixels import Image, resize_area
from vla_learning.data.demonstrations import Demonstration
from vla_learning.learning_settings import Settings, SettingsError
from vla_safety.limits.limiter import MotionLimiter
from vla_sim.robot.simulated_robot import RobotState, SimulatedRobot

Array = npt.NDArray[np.float64]


class Pilot(Protocol):
    """Who acts instead of the expert."""

    def see(self, tick: int, pictures: Mapping[str, Image], state: RobotState) -> object:
        """Take notice of what is seen at a tick."""

    def request(self, tick: int) -> Sequence[float] | Array | None:
        """What is asked for at a tick, SI; None: nothing, so hold."""

    def observe_command(self) -> None:
        """The limiter has moved as it was asked."""


@dataclass(frozen=True)
class Course:
    """How an episode goes.

    offsets: (step limit, D) noise on what is executed, m/s or rad. pilot: who acts before the tick
    `take_over`; from there on, or without one, the expert does.
    """

    command: str
    offsets: Array
    noisy: bool
    pilot: Pilot | None = None
    take_over: int = 0


def observe_state(state: RobotState, settings: Settings) -> npt.NDArray[np.float32]:
    """(S,) what `state_names` name, SI: as the graph's observation.

    Raises:
        SettingsError: the robot does not measure one of them.
    """
    values = state.values()
    if missing := [name for name in settings.state_names if name not in values]:
        raise SettingsError(
            f"state_names has {', '.join(missing)}; accepted of this robot: {', '.join(values)}"
        )
    return np.array([values[name] for name in settings.state_names], np.float32)


def resting_values(space: ActionSpace, state: RobotState) -> Array:
    """(D,) command under which the robot stays where it is: 0, or of a joint its position."""
    values = state.values()
    positions = [0.0 if d.kind.is_velocity else values.get(d.name, 0.0) for d in space.dimensions]
    return np.array(positions)


def observe_images(pictures: Mapping[str, Image], settings: Settings) -> npt.NDArray[np.uint8]:
    """(N, h, w, 3) uint8 rgb: the pictures that were rendered, resized as in the graph."""
    return np.stack(
        [resize_area(pictures[c], settings.height, settings.width) for c in settings.cameras]
    )


def noise_bursts(rng: np.random.Generator, ticks: int, width: int, scale: float) -> Array:
    """(ticks, width) offsets of all dimensions but the gripper's, the last: constant in each burst.

    Bursts of 5 to 15 ticks (up to 0.2 s) with 10 to 35 ticks between them, in which the expert
    recovers; a jitter of independent samples would average out and teach nothing.
    """
    offsets = np.zeros((ticks, width))
    tick = int(rng.integers(0, 12))
    while tick < ticks:
        length = int(rng.integers(5, 16))
        offsets[tick : tick + length, :-1] = rng.normal(0.0, scale, width - 1)
        tick += length + int(rng.integers(10, 36))
    return offsets


def is_noisy(seed: int, fraction: float) -> bool:
    """Spread the noisy episodes evenly over the seeds."""
    return int((seed + 1) * fraction) > int(seed * fraction)


def record(
    environment: SimulatedRobot, task: str, seed: int, settings: Settings, space: ActionSpace
) -> Demonstration:
    """Run one episode of the expert; the same for the same task, seed and settings."""
    collect = settings.collect
    rng = np.random.default_rng([seed, 122])
    noisy = is_noisy(seed, collect.noisy_fraction)
    offsets = noise_bursts(
        rng, environment.step_limit, space.width, collect.noise if noisy else 0.0
    )
    course = Course(settings.commands[task][0], offsets, noisy)
    return run(environment, task, seed, settings, MotionLimiter(space), course)


def run(
    environment: SimulatedRobot,
    task: str,
    seed: int,
    settings: Settings,
    limiter: MotionLimiter,
    course: Course,
) -> Demonstration:
    """Run one episode; every tick is labelled with what the expert would ask for."""
    collect = settings.collect
    environment.reset(task, seed)
    limiter.reset(resting_values(limiter.space, environment.state()))
    images, image_ticks, state, landmarks, requested, executed = [], [], [], [], [], []
    success = -1
    for tick in range(environment.step_limit):
        pilot = course.pilot if tick < course.take_over else None
        if tick % collect.image_period == 0:
            pictures = environment.render()
            images.append(observe_images(pictures, settings))
            image_ticks.append(tick)
            state.append(observe_state(environment.state(), settings))
            landmarks.append(environment.landmarks())
            if pilot is not None:
                pilot.see(tick, pictures, environment.state())
        label = environment.expert_action()
        asked = label if pilot is None else pilot.request(tick)
        # Once it has succeeded the noise is over: what follows shows a finished task.
        offset = course.offsets[tick] if success < 0 else 0.0
        target = np.asarray(limiter.hold_target() if asked is None else asked)
        safe = limiter.step(target + offset).safe
        if pilot is not None:
            pilot.observe_command()
        result = environment.apply(safe)
        requested.append(label)
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
        noisy=course.noisy,
        seed=seed,
        task=task,
        command=course.command,
        landmarks=np.array(landmarks, np.float32),
    )
