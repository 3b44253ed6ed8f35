"""What the safety node decides in each period, from everything that it knows. Free of ROS.

`SafetyCore` ties sequencing, limits, watchdogs and states together. The node tells it what
arrives and calls `step` once per control period. Times are ns: `now` is the node clock, `steady`
a clock that never jumps; in lock-step both are the time of the tick.

What it does about what:
- emergency stop, stop service: emergency brake, STOPPED until reset.
- stop word, clock jump, lost input or heartbeat, too old a chunk: emergency brake, HOLD.
- chunk exhausted, done or empty, fault of language or action: normal brake, HOLD.
- after a start, a stop, another episode or connecting the outputs: HOLD until a new command.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace, Kind
from vla_contract.stop_words import StopWords
from vla_safety.commands import CommandGate
from vla_safety.config import SafetyConfig
from vla_safety.inputs import EmergencyStop, Faults, RobotState, RosClock
from vla_safety.limits import Array, Limit, LimitViolation, MotionLimiter
from vla_safety.sequencing import NANOSECONDS, Chunk, Refusal, Sequencer
from vla_safety.state_file import Kept
from vla_safety.states import Cause, Reason, ResetResult, Severity, State, StateMachine

# Bad chunks degrade for this long after the last of them.
_BAD_CHUNK_MEMORY = NANOSECONDS
_NEW_COMMAND = "a new command"


class Verdict(enum.IntEnum):
    """The numbers of vla_interfaces/msg/SafeAction."""

    PASS = 0
    LIMITED = 1
    HELD = 2
    STOPPED = 3


@dataclass(frozen=True)
class Decision:
    """Outcome of one control period.

    requested: what the plan asked for, SI; None where nothing is asked for.
    safe: what may go to the robot, SI. observation_stamp: ns, 0 where none is acted on.
    connected: the outputs are connected; otherwise `safe` is only shown.
    """

    verdict: Verdict
    state: State
    requested: list[float] | None
    safe: Array
    violations: tuple[LimitViolation, ...]
    emergency: bool
    connected: bool
    standstill: bool
    observation_stamp: int = 0
    observation_age: float | None = None
    command_id: int = 0


class SafetyCore:
    """See the module. Not thread-safe: one thread tells and steps it."""

    def __init__(self, space: ActionSpace, config: SafetyConfig, kept: Kept | None = None) -> None:
        """kept: what an earlier process left."""
        kept = kept or Kept()
        self.space = space
        self.config = config
        self.limiter = MotionLimiter(space)
        self.sequencer = Sequencer(space, config.blend_window, config.stamp_tolerance)
        self.machine = StateMachine(_kept_stop(kept.stopped) if kept.stopped else None)
        self.gate = CommandGate(kept.seen, witness=kept.running and not config.lock_step)
        self.faults = Faults()
        self.emergency_stop = EmergencyStop()
        self.robot = RobotState()
        self.clock = RosClock()
        self.stop_words = StopWords(config.stop_words)
        self.armed = config.armed_on_start
        self.connected = False
        self.command = ""
        self.bad_in_a_row = 0
        self.other_publishers = ""
        # Dimension → joint of those whose position must be known before the first command.
        self._positions = {
            d.name: d.output.field for d in space.dimensions if d.kind is Kind.JOINT_POSITION
        }
        self._sent: Array | None = None
        self._bad: tuple[Refusal, int] | None = None
        self._done = False
        self._closing = False
        self._waiting: Cause = _waiting(Reason.START, "started")

    # Events.

    def activate(self, now: int) -> None:
        """Begin: HOLD until a new command, from the motion that was measured."""
        self._closing = False
        self.clock.restart()
        self.machine.activate(now)
        self._cancel(_waiting(Reason.START, "started"), now)
        self.machine.update([self._waiting], now)
        self.connected = self._wants_connection()
        self._start_from(self.robot.measured)

    def deactivate(self, now: int) -> None:
        """End, at rest or not."""
        self.machine.deactivate(now)
        self.sequencer.forget()

    def close(self) -> None:
        """Brake from now on, because the node is about to end."""
        self._closing = True

    def take_chunk(self, chunk: Chunk, now: int) -> Refusal | None:
        """A chunk came; returns why it is refused, if it is."""
        refusal = self.sequencer.accept(chunk, now)
        if refusal is not None:
            self._bad = (refusal, now)
            self.bad_in_a_row += 1
            return refusal
        self.bad_in_a_row = 0
        before = self.gate.current
        if not self.gate.admit(chunk.command_id, chunk.command_stamp or chunk.observation_stamp):
            self.sequencer.clear()
            return None
        self.command = chunk.command
        self._done = (self._done and before == chunk.command_id) or chunk.done
        if self._done:
            self.sequencer.clear()
        return None

    def take_text(self, text: str, now: int) -> str:
        """An utterance came; returns the stop word that it is, or an empty text."""
        word = self.stop_words.match(text)
        if word:
            self._cancel(_waiting(Reason.STOP_WORD, f'"{word}" was said', emergency=True), now)
        return word

    def stop(self, text: str, now: int) -> None:
        """Stop and stay stopped."""
        cause = Cause(Reason.STOP_SERVICE, Severity.STOP, text, "reset", True)
        self.machine.latch(cause, now)
        self._cancel(_waiting(Reason.STOP_SERVICE, "stopped"), now)

    def reset(self, now: int, steady: int) -> ResetResult:
        """Leave STOPPED, if no cause for it is left."""
        was_latched = self.machine.latched is not None
        result = self.machine.reset(list(self.emergency_stop.causes(self.config, steady)), now)
        if result.done and was_latched:
            self._cancel(_waiting(Reason.STOP_SERVICE, "reset after a stop"), now)
        return result

    def new_episode(self) -> None:
        """The robot was put elsewhere: it is at rest, and knows no command."""
        # Commands come while the clock stands still between episodes: only their ids are new.
        self._cancel(_waiting(Reason.EPISODE, "a new episode began"), 0)
        self._sent = None
        self._start_from(
            {name: value for name, value in self.robot.measured.items() if name in self._positions}
        )

    def arm(self, armed: bool, now: int) -> None:
        """Connect the outputs (not in shadow mode), or brake and then disconnect them."""
        self.armed = armed
        self._switch_outputs(now)

    def reconfigure(self, config: SafetyConfig, now: int) -> None:
        """Take parameters that changed at run time."""
        self.config = config
        self.sequencer.configure(config.blend_window, config.stamp_tolerance)
        self._switch_outputs(now)

    # One period.

    def standing(self) -> Decision:
        """What holds before the first period: nothing is requested."""
        return Decision(
            verdict=_verdict(self.machine.state, ()),
            state=self.machine.state,
            requested=None,
            safe=self.limiter.values,
            violations=(),
            emergency=False,
            connected=self.connected,
            standstill=self.limiter.velocity_standstill,
        )

    def step(self, now: int, steady: int) -> Decision:
        """Decide on one control period."""
        if self.clock.jumped_back(now, steady) and not self._closing:
            self.sequencer.forget()
            self._bad = None
            self._cancel(_waiting(Reason.CLOCK, "the ROS clock jumped back", emergency=True), now)
        self._switch_outputs(now)
        causes = list(self._causes(now, steady))
        state = self.machine.update(causes, now)
        acting = state in (State.NOMINAL, State.DEGRADED)
        requested = self.sequencer.at(now) if acting else None
        emergency = state is State.STOPPED or any(
            cause.emergency for cause in causes if cause.severity is not Severity.DEGRADE
        )
        stamp = self._stamp() if acting else 0
        violations = () if acting else self._violations_of(causes, now)
        if not acting:
            self._drop_plan(causes)
        step = self.limiter.step(
            requested, emergency=emergency, speed_scale=self.config.speed_scale
        )
        violations += step.violations
        if self.connected:
            self._sent = step.safe
        return Decision(
            verdict=_verdict(state, violations),
            state=state,
            requested=requested,
            safe=step.safe,
            violations=violations,
            emergency=step.emergency,
            connected=self.connected,
            standstill=self.limiter.velocity_standstill,
            observation_stamp=stamp,
            observation_age=(now - stamp) / NANOSECONDS if stamp else None,
            command_id=self.gate.current if acting else 0,
        )

    def kept(self, running: bool = True) -> Kept:
        """What must survive the end of this process."""
        latched = self.machine.latched
        return Kept(latched.text if latched else "", self.gate.seen, running)

    # Causes, the most important first.

    def _causes(self, now: int, steady: int) -> Iterator[Cause]:
        config = self.config
        if self._closing:
            yield Cause(Reason.SHUTDOWN, Severity.HOLD, "shutting down", "started again", True)
            return
        yield from self.emergency_stop.causes(config, steady)
        if not config.lock_step:
            yield from self.clock.causes(config, now, steady)
        if self.other_publishers:
            yield Cause(
                Reason.PUBLISHERS,
                Severity.HOLD,
                self.other_publishers,
                "one publisher is left",
                True,
            )
        yield from self.robot.causes(config, steady)
        yield from self._unknown_positions()
        if not config.lock_step:
            yield from self.faults.heartbeats(config, steady)
        yield from self._stop_word()
        yield from self.faults.levels(config, steady)
        yield from self._disconnecting()
        yield from self._chunk_causes(now)
        yield from self._bad_chunks(now)

    def _stop_word(self) -> Iterator[Cause]:
        if self._waiting.emergency and not self.gate.current:
            yield self._waiting

    def _unknown_positions(self) -> Iterator[Cause]:
        for name in self._positions:
            if name not in self.robot.measured:
                yield Cause(
                    Reason.INPUT,
                    Severity.HOLD,
                    f"the position of {name} is not known",
                    f"joint_states holds {self._positions[name]}",
                    True,
                )

    def _disconnecting(self) -> Iterator[Cause]:
        if self.connected and not self._wants_connection():
            text = "shadow mode" if self.config.shadow else "disarmed"
            yield Cause(Reason.OUTPUTS, Severity.HOLD, f"braking for {text}", "at rest")

    def _chunk_causes(self, now: int) -> Iterator[Cause]:
        if not self.gate.current:
            yield self._waiting
            return
        if self._done:
            yield Cause(Reason.DONE, Severity.HOLD, f'"{self.command}" is done', _NEW_COMMAND)
            return
        chunk = self.sequencer.chunk
        if chunk is None:
            yield Cause(Reason.NO_CHUNK, Severity.HOLD, "no actions", "a chunk with actions")
            return
        age = now - chunk.observation_stamp
        if age > round(self.config.chunk_timeout * NANOSECONDS):
            yield Cause(
                Reason.CHUNK_AGE,
                Severity.HOLD,
                f"the last observation acted on is over {self.config.chunk_timeout:g} s old",
                "a newer chunk",
                True,
            )
        if self.sequencer.exhausted(now):
            yield Cause(Reason.CHUNK_EXHAUSTED, Severity.HOLD, "the chunk ran out", "a newer chunk")

    def _bad_chunks(self, now: int) -> Iterator[Cause]:
        if self._bad is not None and 0 <= now - self._bad[1] < _BAD_CHUNK_MEMORY:
            yield Cause(
                Reason.BAD_CHUNK,
                Severity.DEGRADE,
                f"chunk refused: {self._bad[0].value}",
                "no chunk is refused for 1 s",
            )

    # Helpers.

    def _violations_of(self, causes: list[Cause], now: int) -> tuple[LimitViolation, ...]:
        chunk = self.sequencer.chunk
        if chunk is None:
            return ()
        age = (now - chunk.observation_stamp) / NANOSECONDS
        covers = chunk.length * chunk.period / NANOSECONDS
        found = {
            Reason.CHUNK_AGE: LimitViolation(Limit.AGE, "", age, self.config.chunk_timeout),
            Reason.CHUNK_EXHAUSTED: LimitViolation(Limit.EXHAUSTED, "", age, covers),
        }
        return tuple(found[cause.reason] for cause in causes if cause.reason in found)

    def _drop_plan(self, causes: list[Cause]) -> None:
        # What was planned before a hold is stale after it. An exhausted or aged chunk is kept,
        # as it is the one that the cause speaks of.
        own = (Reason.CHUNK_AGE, Reason.CHUNK_EXHAUSTED)
        if any(c.severity is not Severity.DEGRADE and c.reason not in own for c in causes):
            self.sequencer.clear()

    def _switch_outputs(self, now: int) -> None:
        wanted = self._wants_connection()
        if wanted and not self.connected:
            self.connected = True
            self._start_from(self.robot.measured)
            self._cancel(_waiting(Reason.OUTPUTS, "the outputs were connected"), now)
        elif self.connected and not wanted and self.limiter.standstill:
            self.connected = False

    def _wants_connection(self) -> bool:
        # A joint whose position is not known must not be sent anywhere.
        known = all(name in self.robot.measured for name in self._positions)
        return self.armed and not self.config.shadow and known

    def _start_from(self, measured: dict[str, float]) -> None:
        """Begin at rest, or with what was measured; what is neither stays as last sent."""
        self.limiter.reset(self._sent)
        start = self.limiter.values
        for i, dimension in enumerate(self.space.dimensions):
            held = 0.0 if dimension.kind.is_velocity else start[i]
            start[i] = measured.get(dimension.name, held)
        self.limiter.reset(start)

    def _cancel(self, waiting: Cause, now: int) -> None:
        self._waiting = waiting
        self._done = False
        self.command = ""
        self.sequencer.clear()
        self.gate.cancel(now)

    def _stamp(self) -> int:
        chunk = self.sequencer.chunk
        return chunk.observation_stamp if chunk is not None else 0


def _waiting(reason: Reason, text: str, emergency: bool = False) -> Cause:
    return Cause(
        reason, Severity.HOLD, f"{text}; waiting for a new command", _NEW_COMMAND, emergency
    )


def _kept_stop(text: str) -> Cause:
    return Cause(Reason.STOP_SERVICE, Severity.STOP, text, "reset", True)


def _verdict(state: State, violations: tuple[LimitViolation, ...]) -> Verdict:
    if state is State.STOPPED:
        return Verdict.STOPPED
    if state not in (State.NOMINAL, State.DEGRADED):
        return Verdict.HELD
    return Verdict.LIMITED if violations else Verdict.PASS
