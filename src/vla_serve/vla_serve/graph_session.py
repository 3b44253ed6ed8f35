"""The graph in lock-step for somebody else's benchmark: observation → policy → limits → action.

The policy, the plan and the motion limiter of the nodes, tick by tick in one process, as in
`./vla evaluate --in-process`. Each observation is one step of the benchmark, which is a whole
number of control periods; what was commanded in them is the step's action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.stamps import NANOSECONDS
from vla_policy.inference.inference import Observation, Policy, ProblemKind
from vla_policy.remote.remote_mapping import ImageEntry, Key, MappingError, RemoteMapping
from vla_safety.limits.limiter import MotionLimiter
from vla_safety.plan.policy_path import PolicyPath
from vla_safety.plan.sequencing import Chunk
from vla_serve.request_checks import told
from vla_serve.served_policy import Reply, Request, RequestError

_BLEND_WINDOW = 0.1  # s, as the safety node's default
_WHOLE = 1e-6  # of a control period


class GraphSession:
    """One robot of one client.

    mapping: its names for images, state, prompt and actions, as a robot's mapping has those of a
    server. step_period: s of one of its steps. limits: False: what the policy asks for leaves as it
    is, to tell what the limits cost.

    Raises:
        MappingError: a step is no whole number of control periods, the widths differ, or the
            mapping has rotations or frames of the past.
    """

    def __init__(
        self, policy: Policy, mapping: RemoteMapping, step_period: float, *, limits: bool = True
    ) -> None:
        space = policy.checkpoint.action_space
        mapping.require_width(space)
        if mapping.rotations or mapping.past:
            raise MappingError(
                "the mapping has rotations or frames; accepted of a benchmark: neither"
            )
        self._ticks = round(step_period / space.period)
        if self._ticks < 1 or abs(step_period / space.period - self._ticks) > _WHOLE:
            raise MappingError(
                f"a step is {step_period:g} s; accepted: whole control periods, of "
                f"{space.period:g} s"
            )
        self._policy, self._mapping, self._space, self._limits = policy, mapping, space, limits
        self._velocities = np.array([d.kind.is_velocity for d in space.dimensions])
        self._limiter = MotionLimiter(space)
        self.prompt_key = mapping.prompt_key
        self.restart()

    def restart(self) -> None:
        """A new episode: the robot is at rest, and knows no command."""
        self._tick = self._command_id = 0
        self._command = ""
        self._limiter.reset()
        self._path = PolicyPath(self._limiter, _BLEND_WINDOW)
        self._policy.reset()

    def step(self, request: Request) -> Reply:
        """The action of one step: its key and columns as the mapping has them, shape (columns,).

        `limited`: the share of its control periods in which a limit changed the motion.

        Raises:
            RequestError: it lacks something, or the policy does not understand it.
        """
        observation = self._observation(request)
        answer = self._policy.answer(observation)
        problem = answer.problem
        if problem is not None and problem.fatal and problem.kind is not ProblemKind.ACTION:
            raise RequestError(problem.text)
        self._path.accept(self._chunk(observation, answer.chunk.actions), observation.stamp)
        commands, limited = [], 0
        for _ in range(self._ticks):
            asked = self._path.request(self._stamp())
            target = np.asarray(self._limiter.hold_target() if asked is None else asked)
            stepped = self._limiter.step(target)
            self._path.observe_command()
            limited += bool(stepped.violations)
            commands.append(stepped.safe if self._limits else target)
            self._tick += 1
        rows = np.array(commands)
        action = np.where(self._velocities, rows.mean(axis=0), rows[-1])
        return {**self._placed(action), "limited": limited / self._ticks}

    def _placed(self, action: npt.NDArray[np.float64]) -> dict[str, Any]:
        if self._mapping.normalised:
            action = self._space.to_normalised(action)
        columns = np.zeros(max(self._mapping.columns) + 1, dtype=np.float32)
        columns[list(self._mapping.columns)] = action
        return {self._mapping.action_keys[0]: columns}

    def _stamp(self) -> int:
        # Stamps of 0 are refused as not set.
        return round((self._tick + 1) * self._space.period * NANOSECONDS)

    def _chunk(self, observation: Observation, actions: npt.NDArray[np.float64]) -> Chunk:
        return Chunk(
            observation_stamp=observation.stamp,
            period=round(self._space.chunk_period * NANOSECONDS),
            actions=actions.ravel().tolist(),
            action_space=self._space.name,
            dimension_names=self._space.dimension_names,
        )

    def _observation(self, request: Request) -> Observation:
        mapping = self._mapping
        command = _found(request, mapping.prompt_key)
        if not isinstance(command, str) or not command.strip():
            raise RequestError(f"{_named(mapping.prompt_key)} is {told(command)}; accepted: text")
        if command != self._command:
            self._command, self._command_id = command, self._command_id + 1
        state: dict[str, float] = {}
        for entry in mapping.states:
            vector = _found(request, entry.key)
            if not isinstance(vector, np.ndarray) or vector.shape != (len(entry.names),):
                raise RequestError(
                    f"{_named(entry.key)} is {told(vector)}; accepted: {len(entry.names)} numbers "
                    f"({', '.join(entry.names)})"
                )
            state.update(zip(entry.names, vector.astype(float).tolist(), strict=True))
        return Observation(
            stamp=self._stamp(),
            sequence=self._tick,
            camera_names=tuple(entry.camera for entry in mapping.images),
            images=tuple(_image(request, entry) for entry in mapping.images),
            state=state,
            command_id=self._command_id,
            command=command,
        )


class OneSession:
    """A session as a served policy, for a protocol without episodes: another prompt begins one."""

    batches = False

    def __init__(
        self, session: Callable[[], GraphSession], metadata: Mapping[str, Any], fps: float
    ) -> None:
        self._session = session()
        self._key = self._session.prompt_key
        self._prompt: Any = None
        self.metadata: Mapping[str, Any] = {
            **metadata,
            "server": "vla serve graph",
            "chunk_size": 1,
            "fps": fps,
        }

    def answer(self, requests: Sequence[Request]) -> list[Reply | RequestError]:
        """One step for each request; `actions` has one row."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Request) -> Reply | RequestError:
        try:
            prompt = _found(request, self._key)
            if prompt != self._prompt:
                self._session.restart()
                self._prompt = prompt
            reply = self._session.step(request)
        except RequestError as error:
            return error
        return {k: v[None] if isinstance(v, np.ndarray) else v for k, v in reply.items()}


def _image(request: Request, entry: ImageEntry) -> npt.NDArray[np.uint8]:
    value = _found(request, entry.key)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 3:
        pixels = value.transpose(1, 2, 0) if entry.layout == "chw" else value
        if pixels.shape[2] == 3 and min(pixels.shape) > 0:
            return np.ascontiguousarray(pixels)
    raise RequestError(f"{_named(entry.key)} is {told(value)}; accepted: uint8 rgb, {entry.layout}")


def _found(request: Mapping[str, Any], key: Key) -> Any:
    inside: Any = request
    for name in key:
        if not isinstance(inside, Mapping) or name not in inside:
            raise RequestError(f"the observation lacks {_named(key)}")
        inside = inside[name]
    return inside


def _named(key: Key) -> str:
    return "/".join(key)
