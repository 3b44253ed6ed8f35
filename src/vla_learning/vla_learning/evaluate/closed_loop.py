"""Closed-loop evaluation in one process: the cores of the graph without ROS between them.

The same policy, sequencer, limiter and simulator as in the graph in lock-step, tick by tick.
Faster than the graph and needs no middleware; the graph's own evaluation is the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_contract.image_pixels import Image
from vla_contract.stamps import NANOSECONDS
from vla_learning.collect.episode_recording import resting_values
from vla_learning.evaluate.success_report import Episode
from vla_learning.workers import ONE_PROCESS, Workers
from vla_policy import backends
from vla_policy.backends import Backend
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import DONE_COUNT, Observation, Policy
from vla_policy.inference.inference import Chunk as Answer
from vla_safety.limits.limiter import MotionLimiter
from vla_safety.plan.policy_path import PolicyPath
from vla_safety.plan.sequencing import Chunk
from vla_sim.robot.robots import robot_with
from vla_sim.robot.simulated_robot import RobotState, SimulatedRobot

Offsets = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EvaluationSettings:
    """What the graph's parameters of the same names are.

    done_count: inferences in a row that must say that the task is complete before the policy
    stops acting; 0: it never does. mask: cameras that are taken away. image_period_ticks: None: as
    the simulated robot has it.
    """

    backend: str = "onnxruntime"
    threads: int = 2
    image_period_ticks: int | None = None
    blend_window: float = 0.1
    done_count: int = DONE_COUNT
    mask: tuple[str, ...] = field(default=())


class Driver:
    """Policy and plan of one episode: from what is seen to what is asked for at each tick.

    limiter: what moves the robot, whoever asks. problem: why there was no chunk, the first time;
    empty: there always was.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        backend: Backend,
        settings: EvaluationSettings,
        command: str,
        limiter: MotionLimiter,
    ) -> None:
        self._checkpoint, self._settings, self._command = checkpoint, settings, command
        self._policy = Policy(checkpoint, backend, done_count=settings.done_count)
        self._path = PolicyPath(limiter, settings.blend_window)
        self.problem = ""

    def looks(self, tick: int) -> bool:
        """True in a tick at which the policy sees pictures."""
        return tick % (self._settings.image_period_ticks or 1) == 0

    def see(self, tick: int, pictures: Mapping[str, Image], state: RobotState) -> Answer:
        """Let the policy plan from what is seen at a tick; returns its chunk."""
        space = self._checkpoint.action_space
        answered = self._policy.answer(self._observation(tick, pictures, state))
        if answered.problem is not None and answered.problem.fatal:
            self.problem = self.problem or answered.problem.text
        answer = answered.chunk
        chunk = Chunk(
            observation_stamp=self._stamp(tick),
            period=round(space.chunk_period * NANOSECONDS),
            actions=answer.actions.ravel().tolist(),
            action_space=space.name,
            dimension_names=space.dimension_names,
        )
        self._path.accept(chunk, self._stamp(tick))
        return answer

    def request(self, tick: int) -> Sequence[float] | None:
        """What is asked for at a tick, SI; None: nothing, so hold."""
        return self._path.request(self._stamp(tick))

    def observe_command(self) -> None:
        """The limiter has moved as it was asked."""
        self._path.observe_command()

    def _stamp(self, tick: int) -> int:
        # Stamps of 0 are refused as not set.
        return round((tick + 1) * self._checkpoint.action_space.period * NANOSECONDS)

    def _observation(
        self, tick: int, pictures: Mapping[str, Image], state: RobotState
    ) -> Observation:
        names = self._checkpoint.cameras
        return Observation(
            stamp=self._stamp(tick),
            sequence=tick,
            camera_names=names,
            images=tuple(None if n in self._settings.mask else pictures[n] for n in names),
            state=state.values(),
            command_id=1,
            command=self._command,
        )


class Evaluator:
    """Runs episodes of one checkpoint on a backend that has loaded it."""

    def __init__(
        self, checkpoint: Checkpoint, backend: Backend, settings: EvaluationSettings
    ) -> None:
        self.settings = settings
        self.checkpoint = checkpoint
        self.backend = backend
        self._environment: SimulatedRobot | None = None
        self._limiter = MotionLimiter(self.checkpoint.action_space)

    @staticmethod
    def load(folder: Path, settings: EvaluationSettings) -> Evaluator:
        """Of a checkpoint's folder, on the backend of the settings.

        Raises:
            CheckpointError, BackendError: one line.
        """
        checkpoint = Checkpoint.load(folder)
        options = backends.BackendOptions(threads=settings.threads)
        backend = backends.create(settings.backend, options)
        backend.load(checkpoint)
        return Evaluator(checkpoint, backend, settings)

    def close(self) -> None:
        """Free the renderer."""
        if self._environment is not None:
            self._environment.close()
        self._environment = None

    def robot(self, task: str) -> SimulatedRobot:
        """The robot that has the first task; it refuses those of another one."""
        if self._environment is None:
            self._environment = robot_with(task, self.checkpoint.cameras)
        return self._environment

    def episode(
        self, task: str, seed: int, command: str, offsets: Offsets | None = None
    ) -> Episode:
        """Run one episode until it is decided or at its end; the same every time.

        offsets: (ticks, D) of at most the step limit's ticks, added to what is asked for at each,
        SI; the episode ends with them. None: undisturbed, to the step limit.
        """
        environment, space = self.robot(task), self.checkpoint.action_space
        if offsets is None:
            offsets = np.zeros((environment.step_limit, space.width))
        period = self.settings.image_period_ticks or environment.image_period_ticks
        settings = replace(self.settings, image_period_ticks=period)
        driver = Driver(self.checkpoint, self.backend, settings, command, self._limiter)
        environment.reset(task, seed)
        self._limiter.reset(resting_values(space, environment.state()))
        result = environment.result
        done_tick = None
        for tick, offset in enumerate(offsets):
            if driver.looks(tick):
                pictures = environment.render()
                answer = driver.see(tick, pictures, environment.state())
                if answer.done and done_tick is None:
                    done_tick = tick
            asked = driver.request(tick)
            target = np.asarray(self._limiter.hold_target() if asked is None else asked)
            safe = self._limiter.step(target + offset).safe
            driver.observe_command()
            result = environment.apply(safe)
            if result.success or result.failure:
                break
        outcome = result.success, result.step, done_tick, driver.problem
        return Episode(task, seed, command, *outcome)


def evaluate(
    folder: Path,
    settings: EvaluationSettings,
    episodes: Sequence[tuple[str, int, str]],
    workers: Workers = ONE_PROCESS,
) -> Iterator[Episode]:
    """Run (task, seed, command) side by side; yields them in their order.

    Raises:
        CheckpointError, BackendError, CameraError: as for `Evaluator.load`.
        WorkersError: the workers cannot be had.
    """
    absolute = folder.resolve()  # the workers of a cluster are somewhere else
    try:
        with workers.open() as pool:
            yield from pool.ordered((run_episode, absolute, settings, *each) for each in episodes)
    finally:
        close_evaluators()


_evaluators: dict[tuple[Path, EvaluationSettings], Evaluator] = {}  # of a worker


def run_episode(
    folder: Path, settings: EvaluationSettings, task: str, seed: int, command: str
) -> Episode:
    """One episode of a checkpoint, which the worker keeps for the next one."""
    if (folder, settings) not in _evaluators:
        _evaluators[folder, settings] = Evaluator.load(folder, settings)
    return _evaluators[folder, settings].episode(task, seed, command)


def close_evaluators() -> None:
    """Free the renderers of this process."""
    while _evaluators:
        _evaluators.popitem()[1].close()
