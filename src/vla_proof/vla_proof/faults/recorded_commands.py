"""What was recorded of the robot's commands, as plain values. Free of ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

# SafeAction's and SafetyStatus's numbers, which are part of the interface.
HELD = (2, 3)
HOLD, STOPPED = 3, 4
MOVING = (1, 2)


@dataclass(frozen=True)
class Tick:
    """One SafeAction.

    arrived: steady ns. stamp: ROS ns at which it was published. period: s. safe: (D,), SI.
    observation: stamp of what it acts on, ROS ns; 0: nothing. connected: it went to the robot.
    """

    arrived: int
    stamp: int
    number: int
    period: float
    safe: tuple[float, ...]
    verdict: int
    state: int
    emergency: bool
    connected: bool
    observation: int
    command: int = 0

    @property
    def held(self) -> bool:
        """Braking to, or at, a standstill."""
        return self.verdict in HELD

    @property
    def speed(self) -> float:
        """Greatest magnitude over the dimensions, all of which are velocities here."""
        return max(map(abs, self.safe), default=0.0)

    @property
    def at_rest(self) -> bool:
        """Nothing is commanded."""
        return self.speed == 0.0


@dataclass(frozen=True)
class Sent:
    """One message on the robot's own command topic. arrived: steady ns. values: (D,), SI."""

    arrived: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Measured:
    """Velocity that the robot measured. arrived: steady ns; m/s, rad/s."""

    arrived: int
    linear: float
    angular: float


@dataclass
class Record:
    """All of a run, oldest first."""

    ticks: list[Tick] = field(default_factory=list)
    others: list[Tick] = field(default_factory=list)  # of a second safety node
    sent: list[Sent] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    # (steady ns, state, cause) of every change.
    states: list[tuple[int, int, str]] = field(default_factory=list)
    not_recorded: int = 0  # stops whose recording failed, as safety counts them
    alive: dict[str, int] = field(default_factory=dict)  # source of fault levels → steady ns

    def ticks_since(self, steady: int) -> list[Tick]:
        """Those that arrived from a time on, and the one before them."""
        index = len(self.ticks)
        while index and self.ticks[index - 1].arrived >= steady:
            index -= 1
        return self.ticks[max(0, index - 1) :]

    def forget_before(self, steady: int) -> None:
        """Drop what is older, to keep the memory of a long run small."""
        for name in ("ticks", "sent", "measured"):
            setattr(self, name, [x for x in getattr(self, name) if x.arrived >= steady])


@dataclass(frozen=True)
class Reaction:
    """How a fault was answered.

    reaction: from the last valid input to the first decelerating command, s; nan: none is due.
    braking: from that command to rest, s, counted in control periods. timeout: s.
    """

    reaction: float = math.nan
    braking: float = math.nan
    timeout: float = math.nan
