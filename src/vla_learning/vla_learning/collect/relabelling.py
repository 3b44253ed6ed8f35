"""Episodes that a trained policy begins and the scripted expert finishes; the expert labels all.

A policy that imitates gets into states that its expert never does. Here it gets into them while
the expert says at every tick what it would do (DAgger, Ross et al. 2011), and after a random time
the expert takes over and shows the way back to success.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from vla_contract.action_space import ActionSpace
from vla_learning.collect.episode_recording import Course, noise_bursts, run
from vla_learning.data.demonstrations import Demonstration
from vla_learning.evaluate.closed_loop import Driver, EvaluationSettings
from vla_learning.learning_settings import Settings
from vla_policy import backends
from vla_policy.backends import BackendError, BackendOptions
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_safety.limits.limiter import MotionLimiter
from vla_sim.robot.simulated_robot import SimulatedRobot

TAKE_OVER = (20, 200)  # ticks, at random between: the expert acts from there on


class Relabeller:
    """Records such episodes of one checkpoint."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Load the checkpoint; raises CheckpointError, BackendError."""
        self._checkpoint = Checkpoint.load(folder)
        self._driving = EvaluationSettings(threads=threads, done_count=0)
        self._backend = backends.create(self._driving.backend, BackendOptions(threads=threads))
        self._backend.load(self._checkpoint)

    def __call__(
        self,
        environment: SimulatedRobot,
        task: str,
        seed: int,
        settings: Settings,
        space: ActionSpace,
    ) -> Demonstration:
        """Run one episode; the same for the same checkpoint, task, seed and settings.

        Raises:
            BackendError: the checkpoint is not for these cameras or this action space.
        """
        self._check(settings, space)
        rng = np.random.default_rng([seed, 7])
        wordings = settings.commands[task]
        command = wordings[seed % len(wordings)]
        limiter = MotionLimiter(space)
        driver = Driver(
            self._checkpoint,
            self._backend,
            replace(self._driving, image_period_ticks=settings.collect.image_period),
            command,
            limiter,
        )
        take_over = int(rng.integers(*TAKE_OVER))
        noisy = bool(rng.random() < settings.collect.noisy_fraction)
        noise = settings.collect.noise if noisy else 0.0
        offsets = noise_bursts(rng, environment.step_limit, space.width, noise)
        course = Course(command, offsets, noisy, driver, take_over)
        return run(environment, task, seed, settings, limiter, course)

    def _check(self, settings: Settings, space: ActionSpace) -> None:
        theirs = self._checkpoint
        if theirs.cameras != settings.cameras or theirs.action_space != space:
            raise BackendError(
                f"checkpoint {theirs.folder} is for the cameras {', '.join(theirs.cameras)} and "
                f"the action space {theirs.action_space.name}; accepted: "
                f"{', '.join(settings.cameras)} and {space.name}, as the config says"
            )
