"""What the safety node decides in each period, from everything that it knows. Free of ROS.

`SafetyCore` ties plan, limits, surroundings, watchdogs and states together. The node tells it what
arrives and calls `step` once per control period. Times are ns: `now` is the node clock, `steady`
a clock that never jumps; in lock-step both are the time of the tick.

What it does about what is the table of states in the package's README.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from vla_contract.action_space import ActionSpace
from vla_contract.language.stop_words import StopWords
from vla_contract.stamps import NANOSECONDS
from vla_contract.topics import JOINT_STATES
from vla_safety.config.safety_config import SafetyConfig, loop_timeout
from vla_safety.decision import Decision, Verdict, verdict_of
from vla_safety.limits import warning_thresholds
from vla_safety.limits.limiter import Array, LimitedStep, MotionLimiter
from vla_safety.plan.command_gate import CommandGate
from vla_safety.plan.motion_plan import Plan, waiting
from vla_safety.plan.sequencing import Chunk, Refusal, Sequencer
from vla_safety.plan.teleoperation import (
    POLICY,
    Driver,
    Resume,
    Selection,
    Teleoperation,
    requested,
)
from vla_safety.surroundings.environment import Allowance, Surroundings
from vla_safety.watch.motion_detectors import Detectors, Period
from vla_safety.watch.recovery import Recovery, RecoveryResult
from vla_safety.watch.safety_inputs import (
    ClockEvent,
    EmergencyStop,
    Faults,
    RobotState,
    RosClock,
    joint_of_position,
)
from vla_safety.watch.safety_states import (
    Cause,
    FaultKind,
    Reason,
    ResetResult,
    Severity,
    State,
    StateMachine,
)
from vla_safety.watch.state_file import Kept

__all__ = ["Decision", "SafetyCore", "Verdict"]

_ACTING = (State.NOMINAL, State.DEGRADED)
# Faults that do not concern a person who drives.
_POLICY_KINDS = frozenset(
    (FaultKind.VISION, FaultKind.LANGUAGE, FaultKind.ACTION, FaultKind.COMMUNICATION)
)
_JUST_NOW = 0.1  # s
_BY_POLICY = Selection(Driver.POLICY, POLICY)


class SafetyCore:
    """See the module. Not thread-safe: one thread tells and steps it."""

    def __init__(
        self,
        space: ActionSpace,
        config: SafetyConfig,
        kept: Kept | None = None,
        surroundings: Surroundings | None = None,
        teleoperation: Teleoperation | None = None,
    ) -> None:
        """kept: what an earlier process left. surroundings: by default without obstacles.

        teleoperation: None where there are no inputs beside the policy.
        """
        kept = kept or Kept()
        self.space = space
        self.config = config
        self._recovery_rules = config.recovery_rules
        self.limiter = MotionLimiter(space)
        gate = CommandGate(kept.seen, witness=kept.running and not config.lock_step)
        self.plan = Plan(space, config, gate)
        self.machine = StateMachine(_kept_stop(kept.stopped) if kept.stopped else None)
        self.recovery = Recovery()
        self.recovered = RecoveryResult()
        self.detectors = Detectors(space)
        self.surroundings = surroundings or Surroundings(space, config)
        self.teleoperation = teleoperation
        self.faults = Faults()
        self.emergency_stop = EmergencyStop()
        self.robot = RobotState()
        self.clock = RosClock(loop_timeout(config, space))
        self.stop_words = StopWords(config.stop_words)
        self.stop_word_heard = 0  # ns of the node clock, of the last one obeyed
        self.armed = config.armed_on_start
        self.connected = False
        # Why somebody else is at the chunks or at the robot's commands; empty where nobody is.
        self.other_publishers = ""
        # What is sent to the robot and nobody reads; empty where everything is read.
        self.unread_outputs = ""
        # Until then (steady, ns) a newcomer listens whether another safety node drives.
        self.listen_until = 0
        self._positions = joint_of_position(space)
        self._sent: Array | None = None
        self._unsent: LimitedStep | None = None  # of a period that has not ended yet
        self._closing = False
        self._moving = False

    # What others look at.

    @property
    def sequencer(self) -> Sequencer:
        """The chunks."""
        return self.plan.sequencer

    @property
    def gate(self) -> CommandGate:
        """The commands."""
        return self.plan.gate

    @property
    def command(self) -> str:
        """Text of the command in force."""
        return self.plan.command

    @property
    def bad_in_a_row(self) -> int:
        """Refused chunks since the last good one."""
        return self.plan.bad_in_a_row

    # Events.

    def activate(self, now: int, steady: int = 0) -> None:
        """Begin: HOLD until a new command, from the motion that was measured."""
        self._closing = False
        self.clock.restart()
        self.recovery.restart()
        self.detectors.restart()
        self.machine.activate(now)
        self._cancel(waiting(Reason.START, "started"), now)
        self.machine.update([self.plan.waiting], now)
        self.connected = self._wants_connection(steady)
        self._start_from(self.robot.measured)

    def deactivate(self, now: int) -> None:
        """End, at rest or not."""
        self.machine.deactivate(now)
        self.plan.forget()

    def close(self) -> None:
        """Brake from now on, because the node is about to end."""
        self._closing = True

    def take_chunk(self, chunk: Chunk, now: int) -> Refusal | None:
        """A chunk came; returns why it is refused, if it is."""
        person = self.teleoperation
        if person is not None and chunk.actions:
            if not person.accepts(chunk.command_stamp, chunk.observation_stamp):
                return None
        return self.plan.take(chunk, now)

    def take_text(self, text: str, now: int) -> str:
        """An utterance came; returns the stop word that it is, or an empty text."""
        word = self.stop_words.match(text)
        if word:
            self.obey_stop_word(word, now, now)
        return word

    def obey_stop_word(self, word: str, heard: int, now: int) -> bool:
        """Brake for a stop word that this node or another one heard; False where it has done so.

        heard: ns of the node clock; it tells repetitions from a new one.
        """
        if heard == self.stop_word_heard:
            return False
        self.stop_word_heard = heard
        cause = waiting(Reason.STOP_WORD, f'"{word}" was said', emergency=True)
        self._cancel(cause, min(heard, now))
        return True

    def stop(self, text: str, now: int) -> None:
        """Stop and stay stopped."""
        self.machine.latch(_kept_stop(text), now)
        self._cancel(waiting(Reason.STOP_SERVICE, "stopped"), now)

    def reset(self, now: int, steady: int) -> ResetResult:
        """Leave STOPPED, if no cause for it is left."""
        was_latched = self.machine.latched is not None
        before = (c for c in self.machine.causes if c.reason is not Reason.EMERGENCY_STOP)
        lasting = [*self.emergency_stop.causes(self.config, steady), *before]
        result = self.machine.reset(lasting, now)
        if result.done and was_latched:
            self.recovery.forgive()
            self._cancel(waiting(Reason.STOP_SERVICE, "reset after a stop"), now)
        return result

    def new_episode(self) -> None:
        """The robot was put elsewhere: it is at rest, and knows no command."""
        # Commands come while the clock stands still between episodes: only their ids are new.
        self._cancel(waiting(Reason.EPISODE, "a new episode began"), 0)
        self.recovery.restart()
        self.detectors.restart()
        self.surroundings.forget()
        self._sent = None
        self._start_from(
            {name: value for name, value in self.robot.measured.items() if name in self._positions}
        )

    def arm(self, armed: bool, now: int, steady: int = 0) -> None:
        """Connect the outputs (not in shadow mode), or brake and then disconnect them."""
        self.armed = armed
        self._switch_outputs(now, steady)

    def reconfigure(self, config: SafetyConfig, now: int, steady: int = 0) -> None:
        """Take parameters that changed at run time."""
        self.config = config
        self._recovery_rules = config.recovery_rules
        self.plan.configure(config)
        self._switch_outputs(now, steady)

    # One period.

    def standing(self) -> Decision:
        """What holds before the first period: nothing is requested."""
        return Decision(
            verdict=verdict_of(self.machine.state, ()),
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
        event = self._take_time(now, steady)
        self._switch_outputs(now, steady)
        driving = self._select(now, steady)
        causes = list(self._causes(now, steady, event, driving))
        asked = self._asked(now, driving)
        allowed = self.surroundings.allow(asked, self.limiter.values, steady)
        if allowed.stop is not None:
            causes.append(allowed.stop)
        causes += self._recover(causes, steady, driving)
        state = self.machine.update(causes, now)
        acting = state in _ACTING
        self._moving = acting
        if not acting:
            self.plan.drop_after(causes)
        return self._limit(now, steady, causes, allowed, driving if acting else None, event)

    def brake(self, why: str, now: int) -> Decision:
        """The command of a period after a defect: to rest, by the limiter alone; stop latched.

        With the emergency set. Where `step` had already moved the limiter on before it raised, that
        command is this period's: it is within the limits, and the next one brakes.
        """
        step, self._unsent = self._unsent, None
        if step is None:
            step = self.limiter.step(None, emergency=True, speed_scale=self.config.speed_scale)
        return self._stopped(step, why, now)

    def rest(self, why: str, now: int) -> Decision:
        """Where the limiter itself fails: no velocity at once, and the last position kept."""
        values = self.limiter.values if self._sent is None else self._sent
        for i, dimension in enumerate(self.space.dimensions):
            if dimension.kind.is_velocity or not math.isfinite(values[i]):
                values[i] = 0.0
        self.limiter.reset(values)
        return self._stopped(LimitedStep(values, (), True), why, now)

    def _stopped(self, step: LimitedStep, why: str, now: int) -> Decision:
        self.machine.latch(_kept_stop(why), now)
        self._moving = False
        if self.connected:
            self._sent = step.safe
        return Decision(
            verdict=Verdict.STOPPED,
            state=self.machine.state,
            requested=None,
            safe=step.safe,
            violations=step.violations,
            emergency=True,
            connected=self.connected,
            standstill=not any(
                value and dimension.kind.is_velocity
                for value, dimension in zip(step.safe, self.space.dimensions, strict=True)
            ),
        )

    def kept(self, running: bool = True) -> Kept:
        """What must survive the end of this process."""
        latched = self.machine.latched
        return Kept(latched.text if latched else "", self.gate.seen, running)

    def _limit(
        self,
        now: int,
        steady: int,
        causes: list[Cause],
        allowed: Allowance,
        driving: Selection | None,
        event: ClockEvent,
    ) -> Decision:
        """The command of this period. driving: None where nobody may."""
        state = self.machine.state
        emergency = state is State.STOPPED or any(
            c.emergency for c in causes if c.severity is not Severity.DEGRADE
        )
        violations = allowed.violations
        if driving is None:
            violations += self.plan.violations_of(causes, now)
        step = self.limiter.step(
            allowed.requested if driving is not None else None,
            emergency=emergency,
            speed_scale=self.config.speed_scale,
            boundaries=allowed.boundaries,
            speed_cap=allowed.cap,
        )
        self._unsent = step
        if self.connected:
            self._sent = step.safe
        by_policy = driving is not None and driving.driver is Driver.POLICY
        self._watch(steady, driving, by_policy, step)
        violations += step.violations
        stamp = self.plan.stamp if by_policy else 0
        decision = Decision(
            verdict=verdict_of(state, violations),
            state=state,
            requested=allowed.requested if driving is not None else None,
            safe=step.safe,
            violations=violations,
            emergency=step.emergency,
            connected=self.connected,
            standstill=self.limiter.velocity_standstill,
            observation_stamp=stamp,
            observation_age=(now - stamp) / NANOSECONDS if stamp else None,
            command_id=self.gate.current if by_policy else 0,
            warnings=(
                *warning_thresholds.warnings(self.space, step.safe.tolist()),
                *allowed.warnings,
            ),
            input=driving.name if driving is not None else "",
            missed=round(event.gap / self.space.period) if event.gap else 0,
        )
        self._unsent = None
        return decision

    def _watch(
        self, steady: int, driving: Selection | None, by_policy: bool, step: LimitedStep
    ) -> None:
        place = self.surroundings.place
        self.detectors.step(
            Period(
                acting=driving is not None and self.connected,
                by_policy=by_policy,
                safe=step.safe.tolist(),
                violations=step.violations,
                measured={**place.rates(), **self.robot.measured},
                position=place.position,
                progress=self.plan.progress,
                command_id=self.gate.current,
            ),
            self.config,
            steady,
        )

    # What a period begins with.

    def _take_time(self, now: int, steady: int) -> ClockEvent:
        event = self.clock.step(now, steady, self.config)
        if self.config.lock_step:  # the ticks decide how much time passes
            event = ClockEvent(event.jump)
        if event.jump and not self._closing:
            self.plan.forget()
            self.robot.forget_stamps()
            self.surroundings.forget()
            self._cancel(waiting(Reason.CLOCK, event.jump, emergency=True), now)
        if event.gap:
            self.plan.sequencer.clear()
            self._start_after(event.gap, steady)
        return event

    def _select(self, now: int, steady: int) -> Selection:
        if self.teleoperation is None:
            return _BY_POLICY
        driving = self.teleoperation.select(now, steady, policy_alive=self.plan.alive(now))
        if driving.drop_plan:
            self.plan.sequencer.clear()
            if self.gate.current and self.teleoperation.resume is Resume.COMMAND:
                self._cancel(waiting(Reason.TELEOPERATION, "a person drove"), now)
        return driving

    def _asked(self, now: int, driving: Selection) -> list[float] | None:
        """What the one who drives asks for."""
        if driving.driver is Driver.POLICY:
            return self.sequencer.at(now)
        if driving.twist is None:
            return None
        rest = self.limiter.hold_target()
        wanted = requested(self.space, driving.twist)
        return [float(rest[i]) if v is None else v for i, v in enumerate(wanted)]

    def _recover(self, causes: list[Cause], steady: int, driving: Selection) -> tuple[Cause, ...]:
        person = driving.driver is Driver.TELEOPERATION
        self.recovered = self.recovery.step(
            causes,
            self._recovery_rules,
            steady,
            self._moving,
            ignored=_POLICY_KINDS if person else frozenset(),
        )
        return self.recovered.causes

    # Causes, the most important first.

    def _causes(
        self, now: int, steady: int, event: ClockEvent, driving: Selection
    ) -> Iterator[Cause]:
        config = self.config
        if self._closing:
            yield Cause(Reason.SHUTDOWN, Severity.HOLD, "shutting down", "started again", True)
            return
        yield from self.emergency_stop.causes(config, steady)
        yield from self._time_causes(now, steady, event)
        if self.other_publishers:
            text, clears = self.other_publishers, "one publisher is left"
            kind = FaultKind.COMMUNICATION
            yield Cause(Reason.PUBLISHERS, Severity.HOLD, text, clears, True, kind)
        yield from self.surroundings.causes(config, steady)
        yield from self.robot.causes(config, steady)
        if JOINT_STATES in config.required_inputs:
            yield from self.robot.joint_causes(self._positions, config, steady)
        yield from self._unknown_positions()
        by_policy = driving.driver is not Driver.TELEOPERATION
        if not config.lock_step and by_policy:
            yield from self.faults.heartbeats(config, steady)
        yield from self.plan.stop_word()
        ignored = frozenset() if by_policy else _POLICY_KINDS
        alive = self.plan.alive(now)
        yield from (c for c in self.faults.levels(config, steady, alive) if c.kind not in ignored)
        yield from self._output_causes(steady)
        if driving.cause:
            reason = Reason.TELEOPERATION
            yield Cause(reason, Severity.HOLD, driving.cause, driving.clears_when, driving.brake)
        yield from self.detectors.causes()
        if by_policy and not driving.cause:
            yield from self.plan.causes(now)
            yield from self.plan.bad_chunks(now)

    def _time_causes(self, now: int, steady: int, event: ClockEvent) -> Iterator[Cause]:
        if self.config.lock_step:
            return
        if event.gap:
            text = f"the safety loop stood still for {event.gap:.1f} s"
            kind = FaultKind.CLOCK
            yield Cause(Reason.CLOCK, Severity.HOLD, text, "the loop runs", True, kind)
        yield from self.clock.causes(self.config, now, steady)

    def _unknown_positions(self) -> Iterator[Cause]:
        for name, joint in self._positions.items():
            if name not in self.robot.measured:
                text, clears = f"the position of {name} is not known", f"joint_states holds {joint}"
                kind = FaultKind.ROBOT_STATE
                yield Cause(Reason.INPUT, Severity.HOLD, text, clears, True, kind)

    def _output_causes(self, steady: int) -> Iterator[Cause]:
        if self.connected and not self._wants_connection(steady):
            text = "shadow mode" if self.config.shadow else "disarmed"
            yield Cause(Reason.OUTPUTS, Severity.HOLD, f"braking for {text}", "at rest")
        elif steady < self.listen_until:
            text, clears = "listening for another safety node", "none was heard for a moment"
            yield Cause(Reason.START, Severity.HOLD, text, clears)
        if self.connected and self.unread_outputs:
            clears = "the driver reads this type from this topic"
            yield Cause(Reason.UNREAD, Severity.DEGRADE, self.unread_outputs, clears)

    # Outputs.

    def _switch_outputs(self, now: int, steady: int) -> None:
        wanted = self._wants_connection(steady)
        if wanted and not self.connected:
            self.connected = True
            self._start_from(self.robot.measured)
            if not self.listen_until:
                self._cancel(waiting(Reason.OUTPUTS, "the outputs were connected"), now)
            self.listen_until = 0
        elif self.connected and not wanted and self.limiter.standstill:
            self.connected = False

    def _wants_connection(self, steady: int) -> bool:
        # A joint whose position is not known must not be sent anywhere.
        known = all(name in self.robot.measured for name in self._positions)
        return self.armed and not self.config.shadow and known and steady >= self.listen_until

    def _start_after(self, gap: float, steady: int) -> None:
        """Begin with what the robot does after `gap` s without a command.

        A driver goes on with the last command until its timeout; then it stops by itself, and the
        old speed is no longer the robot's. One that declares no timeout is taken to have stopped.
        """
        # What was measured before the gap does not count, however short that was ago.
        start = self.robot.recent(steady, min(gap, _JUST_NOW))
        for i, dimension in enumerate(self.space.dimensions):
            timeout = self.space.driver_timeouts.get(dimension.output.topic, 0.0)
            if self._sent is not None and gap < timeout:
                start[dimension.name] = float(self._sent[i])
        self._start_from(start)

    def _start_from(self, measured: dict[str, float]) -> None:
        """Begin at rest, or with what was measured; what is neither stays as last sent."""
        self.limiter.reset(self._sent)
        start = self.limiter.values
        for i, dimension in enumerate(self.space.dimensions):
            held = 0.0 if dimension.kind.is_velocity else start[i]
            start[i] = measured.get(dimension.name, held)
        self.limiter.reset(start)

    def _cancel(self, why: Cause, now: int) -> None:
        self.plan.cancel(why, now)


def _kept_stop(text: str) -> Cause:
    return Cause(Reason.STOP_SERVICE, Severity.STOP, text, "reset", True)
