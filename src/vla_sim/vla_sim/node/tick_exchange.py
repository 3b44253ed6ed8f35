"""Lock-step: the answer to a tick, put together from its messages in whatever order they come."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Twist:
    """A velocity command: linear (3,), m/s, in `frame`."""

    linear: tuple[float, float, float]
    frame: str


@dataclass(frozen=True)
class Unstamped:
    """A command without a stamp: the gripper's effort, or the positions of `names`, rad."""

    values: tuple[float, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the robot is told for one tick.

    connected: false: nothing. twist: None for a robot that takes none. unstamped: None where the
    action space has nothing of that kind.
    """

    tick: int
    connected: bool
    twist: Twist | None
    unstamped: Unstamped | None


@dataclass(frozen=True)
class _Verdict:
    connected: bool
    values: tuple[float, ...] | None  # of what is unstamped, as SafeAction reports them


class Exchange:
    """Collects what belongs to the tick asked for; everything else is ignored and counted.

    An answer is complete with the SafeAction of the tick and, where it says that the robot's
    outputs are connected, the twist with the tick's stamp (of a robot that takes twists) and what
    has no stamp: a gripper's effort or joint positions (if the SafeAction has them). That is the
    first one pending with the values that the SafeAction reports, so that one left over (of a tick
    that a new episode cut short) is recognised and dropped.
    """

    def __init__(self, takes_twists: bool = True, unstamped: str = "gripper effort") -> None:
        """unstamped: what is missing without it, in words."""
        self._takes_twists, self._words = takes_twists, unstamped
        self.ignored = 0
        self.tick: int | None = None
        self._stamp = 0
        self._verdict: _Verdict | None = None
        self._twists: dict[int, Twist] = {}
        self._unstamped: deque[Unstamped] = deque(maxlen=1000)

    def ask(self, tick: int, stamp: int) -> None:
        """Begin to wait for the answer to `tick`, stamped `stamp` ns."""
        self.tick, self._stamp, self._verdict = tick, stamp, None
        self._twists = {s: twist for s, twist in self._twists.items() if s >= stamp}

    def cancel(self) -> None:
        """Wait for nothing: what still comes for the tick asked for is ignored."""
        self.tick, self._verdict = None, None

    def safe_action(self, tick: int, connected: bool, values: tuple[float, ...] | None) -> None:
        """Note a SafeAction; values: its share of what has no stamp, None where it has none."""
        if tick != self.tick or self._verdict is not None:
            self.ignored += 1
            return
        self._verdict = _Verdict(connected, values)

    def twist(self, stamp: int, twist: Twist) -> None:
        """Note a twist stamped `stamp`, ns."""
        if self.tick is None or stamp < self._stamp:
            self.ignored += 1
            return
        self._twists[stamp] = twist

    def unstamped(self, command: Unstamped) -> None:
        """Note a gripper's effort or joint positions."""
        self._unstamped.append(command)

    def pop_answer(self) -> Answer | None:
        """Return the answer once it is complete, and stop waiting; None before."""
        if self.tick is None or self._verdict is None or self.missing():
            return None
        tick, verdict = self.tick, self._verdict
        connected = verdict.connected
        twist = self._twists.pop(self._stamp) if connected and self._takes_twists else None
        has_values = connected and verdict.values is not None
        command = self._unstamped.popleft() if has_values else None
        self.cancel()
        return Answer(tick, connected, twist, command)

    def missing(self) -> list[str]:
        """Names of what is still missing from the answer."""
        if self.tick is None:
            return []
        if self._verdict is None:
            return ["SafeAction"]
        if not self._verdict.connected:
            return []
        there = not self._takes_twists or self._stamp in self._twists
        missing = [] if there else ["twist"]
        wanted = self._verdict.values
        if wanted is None:
            return missing
        self._drop_left_over(wanted)
        return missing if self._unstamped else [*missing, self._words]

    def _drop_left_over(self, wanted: tuple[float, ...]) -> None:
        # NaN is like itself here: it is for the driver to refuse.
        while self._unstamped and not _all_same(self._unstamped[0].values, wanted):
            self._unstamped.popleft()
            self.ignored += 1


def _all_same(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return len(a) == len(b) and all(map(_same, a, b))


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)
