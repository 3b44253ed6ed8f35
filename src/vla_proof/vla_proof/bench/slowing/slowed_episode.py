"""An episode in the simulator with the whole safety core between policy and robot. ROS-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vla_contract.image_pixels import Image
from vla_contract.stamps import NANOSECONDS
from vla_policy import backends
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import DONE_COUNT, Observation, Policy
from vla_proof.bench.slowing.walking_person import WalkingPerson
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.core import SafetyCore
from vla_safety.plan.sequencing import Chunk
from vla_safety.watch.input_watch import LockStepWatch
from vla_sim.robot.metaworld_robot import STEP_LIMIT, MetaworldEnvironment, RobotState
from vla_sim.tasks import task_list

IMAGE_PERIOD = 4  # ticks
_CONFIG = SafetyConfig(
    armed_on_start=True,
    required_inputs=(),
    heartbeat_sources=(),
    workspace_required=False,
    closed_loop=False,
    escalation_count=0,
    escalation_total=0,
)


@dataclass(frozen=True)
class Way:
    """One way to run an episode. slowing: as the parameter. person: somebody comes and goes."""

    name: str
    slowing: str
    person: bool


WAYS = (
    Way("free", "path", person=False),
    Way("dimension", "dimension", person=True),
    Way("path", "path", person=True),
)


@dataclass(frozen=True)
class Outcome:
    """How an episode ended. steps: of the simulator. slowed: share of them with a limit below 1."""

    way: str
    task: str
    seed: int
    success: bool
    steps: int
    slowed: float


class SlowedEpisodes:
    """Runs episodes of one checkpoint."""

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError, BackendError: one line."""
        self._checkpoint = Checkpoint.load(folder)
        self._backend = backends.create("onnxruntime", backends.BackendOptions(threads=1))
        self._backend.load(self._checkpoint)
        self._environment = MetaworldEnvironment(cameras=self._checkpoint.cameras)

    def run(self, way: Way, task: str, seed: int) -> Outcome:
        """One episode, the same every time."""
        space = self._checkpoint.action_space
        config = replace(_CONFIG, slowing=way.slowing)
        core = SafetyCore(space, config, watch=LockStepWatch(space, config))
        policy = Policy(self._checkpoint, self._backend, done_count=DONE_COUNT)
        person = WalkingPerson(seed)
        command = task_list.instruction(task, seed)
        self._environment.reset(task, seed)
        result, slowed = self._environment.result, 0
        core.activate(_stamp(0, space.period))
        for tick in range(1, STEP_LIMIT + 1):
            now = _stamp(tick, space.period)
            state = self._environment.state()
            if way.person:
                share = person.share(tick * space.period, state.end_effector.tolist())
                core.reconfigure(replace(config, speed_scale=share), now, now)
                slowed += share < 1.0
            if (tick - 1) % IMAGE_PERIOD == 0:
                chunk = self._plan(policy, command, now, tick, state)
                core.accept_chunk(chunk, now)
            safe = core.decide(now, now).safe
            result = self._environment.step(safe[:3], safe[3])
            if result.success or result.failure or result.truncated:
                break
        return Outcome(way.name, task, seed, result.success, result.step, slowed / result.step)

    def _plan(self, policy: Policy, command: str, now: int, tick: int, state: RobotState) -> Chunk:
        names = self._checkpoint.cameras
        pictures: Mapping[str, Image] = self._environment.render()
        observation = Observation(
            stamp=now,
            sequence=tick,
            camera_names=names,
            images=tuple(pictures[name] for name in names),
            state=state.values(),
            command_id=1,
            command=command,
        )
        answer = policy.answer(observation).chunk
        space = self._checkpoint.action_space
        return Chunk(
            observation_stamp=now,
            period=round(space.chunk_period * NANOSECONDS),
            actions=np.asarray(answer.actions).ravel().tolist(),
            action_space=space.name,
            dimension_names=space.dimension_names,
            command_id=1,
            command=command,
            done=bool(answer.done),
        )

    def close(self) -> None:
        """Free the renderer."""
        self._environment.close()


def _stamp(tick: int, period: float) -> int:
    # Stamps of 0 are refused as not set.
    return round((tick + 1) * period * NANOSECONDS)
