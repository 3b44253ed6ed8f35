"""Closed-loop evaluation in one process: the cores of the graph without ROS between them.

The same policy, sequencer, limiter and simulator as in the graph in lock-step, tick by tick.
Faster than the graph and needs no middleware; the graph's own evaluation is the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vla_contract.action_space import ActionSpace
from vla_contract.stamps import NANOSECONDS
from vla_learning.report import Episode
from vla_policy import backends
from vla_policy.checkpoint import Checkpoint
from vla_policy.inference import Observation, Policy
from vla_safety.limits import MotionLimiter
from vla_safety.sequencing import Chunk, Sequencer
from vla_sim.environment import STEP_LIMIT, MetaworldEnvironment


@dataclass(frozen=True)
class EvaluationSettings:
    """What the graph's parameters of the same names are.

    done_count: inferences in a row that must say that the task is complete before the policy
    stops acting; 0: it never does. mask: cameras that are taken away.
    """

    backend: str = "onnxruntime"
    threads: int = 2
    image_period_ticks: int = 4
    blend_window: float = 0.1
    done_count: int = 3
    mask: tuple[str, ...] = field(default=())


class Evaluator:
    """Runs episodes of one checkpoint."""

    def __init__(self, folder: Path, settings: EvaluationSettings) -> None:
        self.settings = settings
        self.checkpoint = Checkpoint.load(folder)
        self._backend = backends.create(
            settings.backend, backends.BackendOptions(threads=settings.threads)
        )
        self._backend.load(self.checkpoint)
        self._environment = MetaworldEnvironment(cameras=self.checkpoint.cameras)
        self._limiter = MotionLimiter(self.checkpoint.action_space)

    def close(self) -> None:
        """Free the renderer."""
        self._environment.close()

    def episode(self, task: str, seed: int, command: str) -> Episode:
        """Run one episode to success or the step limit; the same every time."""
        space = self.checkpoint.action_space
        policy = Policy(self.checkpoint, self._backend, done_count=self.settings.done_count)
        sequencer = Sequencer(space, self.settings.blend_window)
        self._limiter.reset()
        self._environment.reset(task, seed)
        result = self._environment.result
        done_tick = None
        for tick in range(STEP_LIMIT):
            # Stamps of 0 are refused as not set.
            now = round((tick + 1) * space.period * NANOSECONDS)
            if tick % self.settings.image_period_ticks == 0:
                answer = policy.answer(self._observe(tick, now, command)).chunk
                if answer.done and done_tick is None:
                    done_tick = tick
                sequencer.accept(_chunk(space, now, answer.actions.ravel().tolist()), now)
            requested = sequencer.at(now)
            safe = self._limiter.step(
                self._limiter.hold_target() if requested is None else requested
            ).safe
            result = self._environment.step(safe[:3], safe[3])
            if result.success:
                break
        return Episode(task, seed, command, result.success, result.step, done_tick)

    def _observe(self, tick: int, now: int, command: str) -> Observation:
        state = self._environment.state()
        images = self._environment.render()
        names = self.checkpoint.cameras
        values = dict(
            zip(
                ("end_effector.x", "end_effector.y", "end_effector.z"),
                state.end_effector.tolist(),
                strict=True,
            )
        )
        return Observation(
            stamp=now,
            sequence=tick,
            camera_names=names,
            images=tuple(None if n in self.settings.mask else images[n] for n in names),
            state={**values, "gripper_opening": state.gripper_opening},
            command_id=1,
            command=command,
        )


def _chunk(space: ActionSpace, now: int, actions: list[float]) -> Chunk:
    return Chunk(
        observation_stamp=now,
        period=round(space.chunk_period * NANOSECONDS),
        actions=actions,
        action_space=space.name,
        dimension_names=space.dimension_names,
    )


def evaluate(
    evaluator: Evaluator, tasks: Sequence[str], seeds: Sequence[int], command: str | None = None
) -> Iterator[Episode]:
    """Run all seeds of all tasks; command None: each task's first wording of the checkpoint."""
    for task in tasks:
        words = command or evaluator.checkpoint.commands[task][0]
        for seed in seeds:
            yield evaluator.episode(task, seed, words)
