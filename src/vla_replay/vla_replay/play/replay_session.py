"""What one replay found out, gathered while it runs: the base of result.json and the report."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from vla_contract.message_enums import Level, Limit, State, Verdict
from vla_replay.play.answer_recorder import Moment, Moments, Samples, deviation

SERIES = 8000  # points of a curve; beyond it every second one is kept, and so on
STOPPED_SCORE, HELD_SCORE = 2.0, 0.5


@dataclass
class Series:
    """Requested and safe action over time, thinned to what a picture can show."""

    rows: list[tuple[float, list[float], list[float], int, int]] = field(default_factory=list)
    _stride: int = 1
    _count: int = 0

    def add(
        self, time: float, requested: list[float], safe: list[float], verdict: int, state: int
    ) -> None:
        """A control period, s since the beginning."""
        if self._count % self._stride == 0:
            self.rows.append((time, requested, safe, verdict, state))
            if len(self.rows) >= SERIES:
                self.rows, self._stride = self.rows[::2], self._stride * 2
        self._count += 1


@dataclass
class Session:
    """Grows with the events of a replay, but by no more than what a report can show.

    begin: ns, first tick. spans: range of each dimension, to weigh deviations. velocities: which
    dimensions are commanded as velocities. moving: the last control period's command moves the
    robot. moved: one of them did. asked: a motion was requested in one of them.
    """

    velocities: tuple[bool, ...]
    spans: tuple[float, ...]
    period: float
    latencies: dict[str, Samples] = field(default_factory=dict)
    skew: Samples = field(default_factory=Samples)
    verdicts: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    series: Series = field(default_factory=Series)
    faults: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    begin: int = 0
    end: int = 0
    ticks: int = 0
    observations: int = 0
    moving: bool = False
    moved: bool = False
    asked: bool = False
    _safe: list[float] = field(default_factory=list)
    _digest: Any = field(default_factory=hashlib.sha256)
    _levels: dict[tuple[str, int], int] = field(default_factory=dict)
    _state: int = -1

    def __post_init__(self) -> None:
        """Make what depends on the period."""
        self.moments = Moments(stretch=round(1.0 / self.period))

    def latency(self, hop: str, seconds: float) -> None:
        """Time that a hop took, by this process's clock."""
        self.latencies.setdefault(hop, Samples()).add(seconds * 1e3)

    def time(self, stamp: int) -> float:
        """Seconds since the first tick."""
        return (stamp - self.begin) * 1e-9

    def safe_action(self, message: Any, stamp: int, data: bytes) -> tuple[float, str]:
        """A SafeAction; returns its score and, in words, what is bad about it."""
        self.begin = self.begin or stamp
        self.end = max(self.end, stamp)
        self.ticks += 1
        self._digest.update(data)
        requested, safe = list(message.requested), list(message.safe)
        verdict, state = Verdict(message.verdict), State(message.state)
        self.verdicts[verdict.name] += 1
        self.states[state.name] += 1
        names = [violation_name(each) for each in message.violations]
        self.violations.update(names)
        self.series.add(self.time(stamp), requested, safe, verdict, state)
        self._judge_motion(requested, safe)
        if state != self._state:
            self.changes.append({"time": self.time(stamp), "state": state.name})
            self._state = state
        score = deviation(requested, safe, self.spans)
        why = verdict.name + (f": {', '.join(sorted(set(names)))}" if names else "")
        if verdict is Verdict.STOPPED:
            score += STOPPED_SCORE
        elif verdict is Verdict.HELD and names:
            score += HELD_SCORE
        return score, why

    def _judge_motion(self, requested: list[float], safe: list[float]) -> None:
        changed = bool(self._safe) and safe != self._safe
        self.moving = changed or any(
            value for value, velocity in zip(safe, self.velocities, strict=True) if velocity
        )
        self.moved |= self.moving
        self.asked |= any(value and math.isfinite(value) for value in requested)
        self._safe = safe

    @property
    def standstill(self) -> str:
        """That nothing moved, and why, in one line; empty where something did."""
        if self.moved:
            return ""
        why = "no motion was asked for"
        if not self.commands:
            why = "no command was given; accepted: a bag that has one, or --command TEXT"
        elif self.asked:
            why = "what was asked for was held or stopped"
        errors = [fault["message"] for fault in self.faults if fault["level"] == Level.ERROR.name]
        return f"nothing moved: {why}" + (f" ({errors[0]})" if errors else "")

    def fault(self, source: str, kind: int, level: int, text: str, stamp: int) -> bool:
        """A fault's level; True where it changed."""
        if self._levels.get((source, kind), 0) == level:
            return False
        self._levels[source, kind] = level
        kinds = ("vision", "language", "action", "communication", "robot state", "clock",
                 "emergency stop", "stop word")  # fmt: skip
        name = kinds[kind] if kind < len(kinds) else str(kind)
        self.faults.append(
            {
                "time": self.time(stamp),
                "source": source,
                "kind": name,
                "level": Level(min(level, 2)).name,
                "message": text,
            }
        )
        return True

    def command(self, text: str, stamp: int) -> None:
        """A command was given."""
        self.commands.append({"time": self.time(stamp), "text": text})

    def moment(self, score: float, tick: int, stamp: int, why: str, pictures: Any) -> None:
        """Keep a moment with its pictures if it is one of the worst; pictures() makes them."""
        if self.moments.wants_worst(tick, score):
            self.moments.add_worst(Moment(score, tick, stamp, why, pictures()))

    def actions_digest(self) -> str:
        """SHA-256 over every SafeAction as it was serialised, in order."""
        return str(self._digest.hexdigest())

    def summary(self) -> dict[str, Any]:
        """What result.json tells."""
        return {
            "begin": self.begin,
            "ticks": self.ticks,
            "observations": self.observations,
            "seconds": round(self.time(self.end), 6) if self.ticks else 0.0,
            "standstill": self.standstill,
            "verdicts": dict(self.verdicts),
            "states": dict(self.states),
            "violations": dict(self.violations),
            "drops": dict(self.drops),
            "latency_ms": {hop: s.summary() for hop, s in self.latencies.items()},
            "skew_ms": self.skew.summary(),
            "faults": self.faults,
            "state_changes": self.changes,
            "commands": self.commands,
            "actions_sha256": self.actions_digest(),
        }


def violation_name(violation: Any) -> str:
    """Such as "velocity y" or "obstacle scan"."""
    rest = violation.dimension or getattr(violation, "name", "")
    return f"{Limit.words_of(violation.limit)} {rest}".strip()
