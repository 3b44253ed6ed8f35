"""What a soak test watches: every command, every stop, the memory of every node."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vla_cli.client.command_errors import CommandError
from vla_contract.action_space import ActionSpace
from vla_contract.stamps import to_nanoseconds
from vla_proof.properties.checked_bounds import Bounds
from vla_proof.properties.oracle import Oracle, Sample

if TYPE_CHECKING:
    from vla_cli.client.graph_client import Graph

ACTING = (1, 2)  # SafetyStatus.STATE_NOMINAL, STATE_DEGRADED
STOPPED = 4  # SafetyStatus.STATE_STOPPED
KINDS = ("word", "service", "button")
REACTION = 1.0  # s in which a stop must be seen
RESUME = 20.0  # s in which the robot must move again
AGAIN = 2.0  # s between two commands, or two resets
SETTLING = 2  # periods beside the braking time


@dataclass(frozen=True)
class Action:
    """What counts of a SafeAction. stamp: s. speed: of the fastest velocity dimension, SI."""

    tick: int
    stamp: float
    state: int
    speed: float
    emergency: bool
    command_id: int


@dataclass(frozen=True)
class Stop:
    """One stop and what came of it; times in s. problem: empty where all was well."""

    kind: str
    at: float
    reaction: float = float("nan")
    braking: float = float("nan")
    speed: float = float("nan")
    resumed: float = float("nan")
    problem: str = ""


@dataclass
class Commands:
    """Judges every command as it comes."""

    space: ActionSpace
    bounds: Bounds = field(default_factory=Bounds)
    recent: deque[Action] = field(default_factory=lambda: deque(maxlen=1000))
    count: int = 0
    missed: int = 0
    _oracle: Oracle | None = None
    _history: list[list[float]] = field(default_factory=list)

    def take(self, message: Any) -> None:
        """A SafeAction came."""
        values = [float(value) for value in message.safe]
        self.count += 1
        tick = int(message.tick)
        if self.recent and tick != self.recent[-1].tick + 1:
            self.missed += 1
            self._oracle = None
        velocities = [
            abs(v) for v, d in zip(values, self.space.dimensions, strict=True) if d.kind.is_velocity
        ]
        self.recent.append(
            Action(
                tick, to_nanoseconds(message.header.stamp) * 1e-9, int(message.state),
                max(velocities, default=0.0), bool(message.emergency), int(message.command_id),
            )
        )  # fmt: skip
        if self._oracle is None:
            # Without a past only rest is a beginning that can be judged.
            if max(velocities, default=0.0) == 0.0:
                self._oracle = Oracle(self.space, values, self.bounds)
            return
        self._oracle.take(Sample(values, bool(message.emergency)))
        del self.bounds.broken[100:]

    @property
    def acting(self) -> bool:
        """The last commands followed a plan."""
        last = list(self.recent)[-3:]
        return len(last) == 3 and all(a.state in ACTING and a.command_id for a in last)


class Stopper:
    """Stops the robot in turn by word, service and button, and sees that it did."""

    def __init__(
        self, graph: Graph, commands: Commands, command: str, statuses: Sequence[Any]
    ) -> None:
        """command: that moves the robot. statuses: of safety, the newest last."""
        from std_msgs.msg import Bool, String

        from vla_contract import topics

        self._graph, self._commands, self._command = graph, commands, command
        self._statuses = statuses
        node = graph.node
        self._say = node.create_publisher(
            String, topics.COMMAND, topics.qos_profile(topics.COMMAND)
        )
        self._button = node.create_publisher(
            Bool, "/emergency_stop", topics.qos_profile(topics.EMERGENCY_STOP)
        )
        self._count = 0

    def begin(self, check: Callable[[], None], timeout: float) -> None:
        """Give the command until the robot moves.

        Raises:
            CommandError: it does not.
        """
        if not self._resume(timeout, check):
            raise CommandError(f"no robot command within {timeout:g} s: {self._cause}")

    def stop(self) -> Stop:
        """See the robot move, stop, see it at rest, reset, and see it move again."""
        kind = KINDS[self._count % len(KINDS)]
        self._count += 1
        begin = time.monotonic()
        try:
            # What a fault has stopped already says nothing of a stop.
            if not self._resume(RESUME):
                return Stop(kind, begin, problem=f"it does not move before: {self._cause}")
            return self._stop(kind)
        except CommandError as error:  # a service that gives no answer
            return Stop(kind, begin, problem=str(error))

    def _stop(self, kind: str) -> Stop:
        begin, sent = time.monotonic(), time.time()
        speed = self._commands.recent[-1].speed
        self._ask(kind)
        found = self._seen(sent)
        self._release(kind)
        if isinstance(found, str):
            return Stop(kind, begin, speed=speed, problem=found)
        reaction, braking = found
        again = time.monotonic()
        if not self._resume(RESUME):
            problem = f"it does not move again: {self._cause}"
            return Stop(kind, begin, reaction, braking, speed, problem=problem)
        return Stop(kind, begin, reaction, braking, speed, time.monotonic() - again)

    def _ask(self, kind: str) -> None:
        from std_msgs.msg import Bool, String

        if kind == "word":
            self._say.publish(String(data="stop"))
        elif kind == "service":
            self._trigger("stop")
        else:
            self._button.publish(Bool(data=True))

    def _release(self, kind: str) -> None:
        from std_msgs.msg import Bool

        if kind == "button":
            self._button.publish(Bool(data=False))
            self._graph.wait(lambda: False, 0.2)
        if kind != "word":
            self._trigger("reset")

    @property
    def _cause(self) -> str:
        """Why the robot does not move, in safety's words."""
        return str(self._statuses[-1].cause) if self._statuses else "safety says nothing"

    def _trigger(self, name: str) -> None:
        from std_srvs.srv import Trigger

        self._graph.call(Trigger, f"{self._graph.namespace}/{name}", Trigger.Request())

    def _seen(self, sent: float) -> tuple[float, float] | str:
        """(reaction, braking time), s, of a stop that was asked for then; or what failed."""
        space, commands = self._commands.space, self._commands
        longest = space.braking_time + SETTLING * space.period

        def first() -> Action | None:
            later = (a for a in commands.recent if a.stamp >= sent and a.state not in ACTING)
            return next(later, None)

        if not self._graph.wait(lambda: first() is not None, REACTION):
            return f"no stop within {REACTION:g} s"
        stop = first()
        assert stop is not None

        def rest() -> Action | None:
            later = (a for a in commands.recent if a.tick >= stop.tick and a.speed == 0.0)
            return next(later, None)

        if not self._graph.wait(lambda: rest() is not None, longest + REACTION):
            return "it does not come to rest"
        still = rest()
        assert still is not None
        # The first command of the stop already brakes.
        braking = (still.tick - stop.tick + 1) * space.period
        if braking > longest:
            return f"braking took {braking:.3f} s, accepted: {longest:.3f} s"
        return stop.stamp - sent, braking

    def _resume(self, timeout: float, check: Callable[[], None] | None = None) -> bool:
        """Give the command, and reset what faults have latched, until the robot moves."""
        from std_msgs.msg import String

        said = 0.0

        def moving() -> bool:
            nonlocal said
            if check is not None:
                check()
            if self._commands.acting:
                return True
            if time.monotonic() - said > AGAIN and self._say.get_subscription_count() >= 2:
                if self._statuses and self._statuses[-1].state == STOPPED:
                    self._trigger("reset")
                self._say.publish(String(data=self._command))
                said = time.monotonic()
            return False

        return bool(self._graph.wait(moving, timeout))
