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
class Answer:
    """What the robot is told for one tick.

    twist: None with outputs disconnected. effort: None then too, and where the action space has
    no gripper.
    """

    tick: int
    twist: Twist | None
    effort: float | None


@dataclass(frozen=True)
class _Verdict:
    connected: bool
    effort: float | None  # as SafeAction reports it


class Exchange:
    """Collects what belongs to the tick asked for; everything else is ignored and counted.

    An answer is complete with the SafeAction of the tick and, where it says that the robot's
    outputs are connected, the twist with the tick's stamp and the gripper effort (if the SafeAction
    has a gripper). That one has no stamp: it is the first one pending with the value that the
    SafeAction reports, so that one left over (of a tick that a new episode cut short) is recognised
    and dropped.
    """

    def __init__(self) -> None:
        self.ignored = 0
        self.tick: int | None = None
        self._stamp = 0
        self._verdict: _Verdict | None = None
        self._twists: dict[int, Twist] = {}
        self._efforts: deque[float] = deque(maxlen=1000)

    def ask(self, tick: int, stamp: int) -> None:
        """Begin to wait for the answer to `tick`, stamped `stamp` ns."""
        self.tick, self._stamp, self._verdict = tick, stamp, None
        self._twists = {s: twist for s, twist in self._twists.items() if s >= stamp}

    def cancel(self) -> None:
        """Wait for nothing: what still comes for the tick asked for is ignored."""
        self.tick, self._verdict = None, None

    def safe_action(self, tick: int, connected: bool, effort: float | None) -> None:
        """Note a SafeAction; `effort`: its gripper dimension, None where it has none."""
        if tick != self.tick or self._verdict is not None:
            self.ignored += 1
            return
        self._verdict = _Verdict(connected, effort)

    def twist(self, stamp: int, twist: Twist) -> None:
        """Note a twist stamped `stamp`, ns."""
        if self.tick is None or stamp < self._stamp:
            self.ignored += 1
            return
        self._twists[stamp] = twist

    def effort(self, value: float) -> None:
        """Note a gripper effort."""
        self._efforts.append(value)

    def pop_answer(self) -> Answer | None:
        """Return the answer once it is complete, and stop waiting; None before."""
        if self.tick is None or self._verdict is None or self.missing():
            return None
        tick, verdict = self.tick, self._verdict
        twist = self._twists.pop(self._stamp) if verdict.connected else None
        has_effort = verdict.connected and verdict.effort is not None
        effort = self._efforts.popleft() if has_effort else None
        self.cancel()
        return Answer(tick, twist, effort)

    def missing(self) -> list[str]:
        """Names of what is still missing from the answer."""
        if self.tick is None:
            return []
        if self._verdict is None:
            return ["SafeAction"]
        if not self._verdict.connected:
            return []
        missing = [] if self._stamp in self._twists else ["twist"]
        wanted = self._verdict.effort
        if wanted is None:
            return missing
        self._drop_left_over_efforts(wanted)
        return missing if self._efforts else [*missing, "gripper effort"]

    def _drop_left_over_efforts(self, wanted: float) -> None:
        # NaN is like itself here: it is for the driver to refuse.
        while self._efforts and not _same(self._efforts[0], wanted):
            self._efforts.popleft()
            self.ignored += 1


def _same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)
