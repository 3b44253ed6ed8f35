"""What the page says of the robot, made from the graph's newest messages. Free of ROS.

One thread tells what came (`accept_…`), another reads (`page`, `metrics`): a lock of this object
alone stands between them, which no node of the graph ever takes.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vla_console.robot_clock import RobotClock
from vla_contract.message_enums import Level, State

STATUS_TIMEOUT = 3.0  # s; safety tells its state on every change and once a second
_NUMBER = re.compile(r"[-+]?\d[\d.]*(e[-+]?\d+)?")
MOST_CAUSES = 64  # told apart in the metrics
_ACTING = (State.NOMINAL, State.DEGRADED)


@dataclass(frozen=True)
class FaultView:
    """One fault that is present: who reports it, of which kind and level, and its words."""

    source: str
    kind: str
    level: Level
    message: str

    @property
    def text(self) -> str:
        """In one line."""
        return f"{self.source}: {self.kind} {self.level.words}: {self.message}"


@dataclass(frozen=True)
class LimitView:
    """One limit that acts: its kind and dimension, for counting, and its words, for people."""

    kind: str
    dimension: str
    text: str


@dataclass(frozen=True)
class SafetyView:
    """A safety_status. Times in s, `since` and `stamp` in ns of the node clock."""

    state: State
    stamp: int = 0
    since: int = 0
    cause: str = ""
    clears_when: str = ""
    causes: tuple[str, ...] = ()
    standstill: bool = True
    armed: bool = False
    shadow: bool = False
    speed_scale: float = 1.0
    command: str = ""
    input: str = ""
    observation_age: float | None = None
    recovery_left: float = 0.0
    recording: str = ""
    limits: tuple[LimitView, ...] = ()
    warnings: tuple[LimitView, ...] = ()
    faults: tuple[FaultView, ...] = ()
    period: float = 0.0
    jitter_p99: float = 0.0
    duration_p99: float = 0.0
    overruns: int = 0


@dataclass(frozen=True)
class NodeView:
    """What a node says of itself in its diagnostics. level: 0 ok, 1 warning, 2 error, 3 stale."""

    name: str
    level: int
    message: str
    values: dict[str, str]


@dataclass
class Counts:
    """What has happened since the console started."""

    stops: Counter[str] = field(default_factory=Counter)  # by cause
    limits: Counter[tuple[str, str]] = field(default_factory=Counter)  # by kind and dimension


@dataclass(frozen=True)
class MetricsView:
    """What `/metrics` tells, read at once. safety: None while it is silent."""

    safety: SafetyView | None
    safety_age: float | None
    nodes: dict[str, NodeView]
    counts: Counts


class ConsoleState:
    """The newest of everything that the page shows in words and numbers."""

    def __init__(self) -> None:
        self.clock = RobotClock()
        self._lock = threading.Lock()
        self._safety: SafetyView | None = None
        self._safety_at = 0  # steady, ns
        self._question = ""
        self._accepted = ""
        self._known: dict[str, list[str]] = {}
        self._nodes: dict[str, NodeView] = {}
        self._task: dict[str, Any] | None = None
        self._inference_time: float | None = None
        self._counts = Counts()

    def accept_safety(self, view: SafetyView, steady: int) -> None:
        """A safety_status came at `steady`, ns."""
        with self._lock:
            self._count(self._safety, view)
            self._safety, self._safety_at = view, steady
            self.clock.observe(view.stamp, steady)

    def _count(self, before: SafetyView | None, now: SafetyView) -> None:
        if before is None:
            return  # what lasts already did not happen now
        stopped = now.state is State.STOPPED and before.state is not State.STOPPED
        if stopped or (now.state is State.HOLD and before.state in _ACTING):
            cause = cause_without_numbers(now.cause)
            known = cause in self._counts.stops or len(self._counts.stops) < MOST_CAUSES
            self._counts.stops[cause if known else "other"] += 1
        earlier = {(limit.kind, limit.dimension) for limit in before.limits}
        for key in {(limit.kind, limit.dimension) for limit in now.limits} - earlier:
            self._counts.limits[key] += 1

    def accept_question(self, text: str) -> None:
        """What the robot asks; empty: nothing any more."""
        with self._lock:
            self._question = text

    def accept_command(self, text: str) -> None:
        """A command was put in force."""
        with self._lock:
            self._accepted = text

    def accept_known_commands(self, known: dict[str, list[str]]) -> None:
        """Task → the wordings with which the policy was trained."""
        with self._lock:
            self._known = known

    def accept_node(self, view: NodeView) -> None:
        """A node told its diagnostics."""
        with self._lock:
            self._nodes[view.name] = view

    def accept_task(self, task: dict[str, Any]) -> None:
        """A simulator told its task and verdict."""
        with self._lock:
            self._task = task

    def accept_inference_time(self, seconds: float | None) -> None:
        """A chunk told how long the model took."""
        with self._lock:
            self._inference_time = seconds

    @property
    def known_commands(self) -> dict[str, list[str]]:
        """Task → wordings; empty while nobody has told."""
        return self._known

    @property
    def command(self) -> str:
        """The command in force, or the last one."""
        with self._lock:
            return (self._safety.command if self._safety else "") or self._accepted

    @property
    def safety(self) -> SafetyView | None:
        """The newest safety_status, however old."""
        return self._safety

    def page(self, steady: int) -> dict[str, Any]:
        """Everything in words and numbers, for JSON. steady: now, ns."""
        with self._lock:
            age = (steady - self._safety_at) * 1e-9 if self._safety else None
            return {
                "safety": self._safety and _safety_page(self._safety, self.clock, steady),
                "safety_age": rounded(age),
                "safety_silent": age is None or age > STATUS_TIMEOUT,
                "question": {
                    "text": self._question,
                    "answers": answers_to(self._question, self._known),
                },
                "command": self._accepted,
                "nodes": [
                    {"name": node.name, "level": node.level, "message": node.message}
                    for _, node in sorted(self._nodes.items())
                ],
                "inference_time": rounded(self._inference_time),
                "task": self._task,
            }

    def metrics(self, steady: int) -> MetricsView:
        """The same as numbers. steady: now, ns."""
        with self._lock:
            age = (steady - self._safety_at) * 1e-9 if self._safety else None
            counts = Counts(Counter(self._counts.stops), Counter(self._counts.limits))
            return MetricsView(self._safety, age, dict(self._nodes), counts)


def _safety_page(view: SafetyView, clock: RobotClock, steady: int) -> dict[str, Any]:
    outputs = "shadow" if view.shadow else "armed" if view.armed else "disarmed"
    return {
        "state": view.state.words,
        "cause": view.cause,
        "clears_when": view.clears_when,
        "other_causes": [cause for cause in view.causes if cause != view.cause],
        "since": rounded(clock.age(view.since, steady)),
        "standstill": view.standstill,
        "outputs": outputs,
        "armed": view.armed,
        "shadow": view.shadow,
        "speed_scale": view.speed_scale,
        "command": view.command,
        "input": view.input,
        "observation_age": rounded(view.observation_age),
        "recovery_left": rounded(view.recovery_left),
        "limits": [limit.text for limit in view.limits],
        "warnings": [limit.text for limit in view.warnings],
        "faults": [{"text": fault.text, "level": fault.level.words} for fault in view.faults],
        "loop": {
            "rate": rounded(1.0 / view.period if view.period > 0.0 else None),
            "jitter_p99": rounded(view.jitter_p99, 6),
            "duration_p99": rounded(view.duration_p99, 6),
            "overruns": view.overruns,
        },
    }


def answers_to(question: str, known: dict[str, Sequence[str]] | dict[str, list[str]]) -> list[str]:
    """Known commands that a question names, in their order there: each can answer it."""
    if not question:
        return []
    lower = question.lower()
    found: list[tuple[int, str]] = []
    for wording in sorted({w for each in known.values() for w in each}, key=len, reverse=True):
        at = lower.find(wording.lower())
        if at >= 0 and not any(begin <= at < begin + len(other) for begin, other in found):
            found.append((at, wording))
    return [wording for _, wording in sorted(found)]


def cause_without_numbers(cause: str) -> str:
    """A cause as a label that does not grow with every value, at most 100 letters."""
    return _NUMBER.sub("#", cause)[:100] or "unknown"


def rounded(value: float | None, digits: int = 3) -> float | None:
    """A number for JSON; None for what is none."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return round(value, digits)
