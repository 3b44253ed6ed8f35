"""What the graph did in the present episode, gathered from its topics."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract import message_enums
from vla_contract.message_enums import State, Verdict
from vla_contract.stamps import to_seconds

Array = npt.NDArray[np.float64]
MOVING = 0.01  # m/s or rad/s; a command above it counts as motion


@dataclass
class Snapshot:
    """The newest of everything, for the live view and the video.

    Times in s; NaN where unknown. step, steps: of the simulator, so far and at most.
    """

    state: str = "starting"
    cause: str = ""
    command: str = ""
    observation_age: float = math.nan
    inference_time: float = math.nan
    verdict: str = ""
    limited: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    prompt: str = ""
    time: float = 0.0
    step: int = 0
    steps: int = 0
    success: bool = False


@dataclass
class Trace:
    """Requested and safe action of every control period of one episode.

    requested, safe: rows of one value per dimension, in the action space's units; requested is NaN
    where nothing was requested.
    """

    dimension_names: tuple[str, ...] = ()
    times: list[float] = field(default_factory=list)
    requested: list[list[float]] = field(default_factory=list)
    safe: list[list[float]] = field(default_factory=list)
    limited: list[frozenset[str]] = field(default_factory=list)

    def add(self, message: Any, begin: float | None) -> None:
        """Take a SafeAction; `begin` is the episode's first stamp, s (None: this one)."""
        stamp = to_seconds(message.header.stamp)
        self.dimension_names = tuple(message.dimension_names)
        self.times.append(stamp - (stamp if begin is None else begin))
        self.requested.append(list(message.requested))
        self.safe.append(list(message.safe))
        self.limited.append(frozenset(v.dimension for v in message.violations))

    def arrays(self) -> tuple[Array, Array, Array]:
        """Times [n], requested [n, d], safe [n, d]; n is 0 where no control period was run."""
        shape = len(self.times), len(self.dimension_names)
        return (
            np.array(self.times),
            np.array(self.requested).reshape(shape),
            np.array(self.safe).reshape(shape),
        )

    def limited_in(self, dimension: str) -> npt.NDArray[np.bool_]:
        """Periods in which a limit changed the dimension, or the whole action; shape [n]."""
        return np.array([bool({dimension, ""} & fired) for fired in self.limited], dtype=bool)


class Recorder:
    """Keeps the snapshot and the trace up to date from messages.

    Attributes:
        moved: True once a command that moves the robot has left safety.
    """

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.trace = Trace()
        self.moved = False
        self._begin: float | None = None
        self._velocity: list[int] = []

    def begin_episode(self, command: str, steps: int) -> None:
        """Start a new trace, of so many steps of the simulator at most."""
        self.snapshot = Snapshot(command=command, steps=steps)
        self.trace = Trace()
        self._begin = None

    def on_safe_action(self, message: Any) -> None:
        """A control period."""
        stamp = to_seconds(message.header.stamp)
        self.trace.add(message, self._begin)
        self._begin = stamp if self._begin is None else self._begin
        snapshot = self.snapshot
        snapshot.time = stamp - self._begin
        snapshot.state = State.words_of(message.state)
        snapshot.verdict = Verdict.words_of(message.verdict)
        snapshot.observation_age = message.observation_age
        snapshot.limited = tuple(message_enums.violation_text(v) for v in message.violations)
        velocities = [
            abs(value)
            for name, value in zip(message.dimension_names, message.safe, strict=True)
            if name.startswith(("linear", "angular"))
        ]
        self.moved |= bool(message.outputs_connected and max(velocities, default=0.0) > MOVING)

    def on_status(self, message: Any) -> None:
        """The safety node's state."""
        self.snapshot.cause = message.cause
        self.snapshot.faults = tuple(message_enums.fault_text(fault) for fault in message.faults)

    def on_chunk(self, message: Any) -> None:
        """A chunk of the policy."""
        if len(message.actions) > 0:
            self.snapshot.inference_time = message.inference_time

    def on_prompt(self, message: Any) -> None:
        """What the robot asks."""
        self.snapshot.prompt = message.data

    def on_task_state(self, message: Any) -> None:
        """The simulator's verdict."""
        self.snapshot.step = int(message.step)
        self.snapshot.success = bool(message.success)
