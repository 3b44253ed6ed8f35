"""What the safety node decides in each period, from everything that it knows. Free of ROS.

`SafetyCore` ties plan, limits, surroundings, watchdogs and states together. The node tells it what
arrives and calls `decide` once per control period. Times are ns: `now` is the node clock, `steady`
a clock that never jumps; in lock-step both are the time of the tick.

What it does about what is the table of states in the package's README.
"""

from __future__ import annotations

from collections.abc import Iterator

from vla_contract.action_space import ActionSpace
from vla_contract.language.stop_words import StopWords
from vla_contract.stamps import NANOSECONDS
from vla_safety.arm.arm_guard import ArmGuard
from vla_safety.arm.singularity import SingularityGuard
from vla_safety.config.safety_config import SLOWING, SafetyConfig
from vla_safety.decision import Decision, Situation, Verdict, verdict_of
from vla_safety.limits import warning_thresholds
from vla_safety.limits.limiter import LimitedStep, LimitViolation, MotionLimiter
from vla_safety.plan.command_gate import CommandGate
from vla_safety.plan.home_motion import HomeMotion, Place
from vla_safety.plan.motion_plan import Plan, waiting
from vla_safety.plan.path_follower import Motion, PathFollower
from vla_safety.plan.path_speed import velocity_ceilings
from vla_safety.plan.robot_connection import RobotConnection
from vla_safety.plan.sequencing import Chunk, Refusal
from vla_safety.plan.teleoperation import (
    POLICY,
    Driver,
    Resume,
    Selection,
    Teleoperation,
    requested,
)
from vla_safety.surroundings.environment import Allowance, Surroundings
from vla_safety.watch.input_watch import InputWatch
from vla_safety.watch.motion_detectors import Period
from vla_safety.watch.ros_clock import ClockEvent
from vla_safety.watch.safety_states import (
    ACTING,
    Cause,
    FaultKind,
    Reason,
    ResetResult,
    Severity,
    State,
    StateMachine,
)
from vla_safety.watch.state_file import SavedState

__all__ = ["Decision", "SafetyCore", "Verdict"]

# Faults that do not concern a person who drives.
_POLICY_KINDS = frozenset(
    (FaultKind.VISION, FaultKind.LANGUAGE, FaultKind.ACTION, FaultKind.COMMUNICATION)
)
_BY_POLICY = Selection(Driver.POLICY, POLICY)
_BY_HOME = Selection(Driver.HOME, "home")


class SafetyCore:
    """See the module. Not thread-safe: one thread tells and steps it."""

    def __init__(
        self,
        space: ActionSpace,
        config: SafetyConfig,
        saved: SavedState | None = None,
        surroundings: Surroundings | None = None,
        teleoperation: Teleoperation | None = None,
        watch: InputWatch | None = None,
        arm: ArmGuard | SingularityGuard | None = None,
    ) -> None:
        """saved: what an earlier process left. surroundings: by default without obstacles.

        teleoperation: None where there are no inputs beside the policy. watch: by default that of
        a graph that runs by itself. arm: None where no arm's shape is configured.
        """
        saved = saved or SavedState()
        self.space = space
        self.config = config
        self.watch = watch or InputWatch(space, config)
        self.limiter = MotionLimiter(space)
        self.plan = Plan(space, config, CommandGate(saved.seen, witness=saved.running))
        self.path = PathFollower(space, self.plan.sequencer)
        self.home = HomeMotion(space, config, self.path)
        self.machine = StateMachine(_latched_stop(saved.stopped) if saved.stopped else None)
        self.surroundings = surroundings or Surroundings(space, config)
        self.teleoperation = teleoperation
        self.connection = RobotConnection(
            space, self.limiter, self.watch.robot, config.armed_on_start, arm
        )
        self.stop_words = StopWords(config.stop_words)
        self.stop_word_heard = 0  # ns of the node clock, of the last one obeyed
        self._along_path = config.slowing == SLOWING[0]
        self._closing = False

    # Events.

    def activate(self, now: int, steady: int = 0) -> None:
        """Begin: HOLD until a new command, from the motion that was measured."""
        self._closing = False
        self.watch.restart()
        self.machine.activate(now)
        self.path.restart()
        self.plan.cancel(waiting(Reason.START, "started"), now)
        self.machine.update([self.plan.waiting], now)
        self.connection.activate(self.config, steady)

    def deactivate(self, now: int) -> None:
        """End, at rest or not."""
        self.machine.deactivate(now)
        self.home.fail("the node was deactivated")
        self.plan.forget()

    def close(self) -> None:
        """Brake from now on, because the node is about to end."""
        self._closing = True

    def accept_chunk(self, chunk: Chunk, now: int) -> Refusal | None:
        """A chunk came; returns why it is refused, if it is."""
        person = self.teleoperation
        if person is not None and chunk.actions:
            if not person.accepts(chunk.command_stamp, chunk.observation_stamp):
                return None
        return self.plan.accept_chunk(chunk, now)

    def accept_text(self, text: str, now: int) -> str:
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
        self.plan.cancel(cause, min(heard, now))
        return True

    def stop(self, text: str, now: int) -> None:
        """Stop and stay stopped."""
        self.machine.latch(_latched_stop(text), now)
        self.home.fail(text)
        self.plan.cancel(waiting(Reason.STOP_SERVICE, "stopped"), now)

    def reset(self, now: int, steady: int) -> ResetResult:
        """Leave STOPPED, if no cause for it is left."""
        was_latched = self.machine.latched is not None
        before = (c for c in self.machine.causes if c.reason is not Reason.EMERGENCY_STOP)
        lasting = [*self.watch.emergency_stop.causes(self.config, steady), *before]
        result = self.machine.reset(lasting, now)
        if result.done and was_latched:
            self.watch.recovery.forgive()
            self.plan.cancel(waiting(Reason.STOP_SERVICE, "reset after a stop"), now)
        return result

    def go_home(self, now: int, steady: int) -> ResetResult:
        """Set out for the start pose; where it has arrived `situation` tells."""
        if not self.home.configured:
            return ResetResult(False, "refused: no start pose; set the parameter home_pose")
        if self.machine.latched is not None:
            return ResetResult(
                False, f"refused: stopped ({self.machine.latched.text}); reset first"
            )
        if not self.connection.connected:
            return ResetResult(False, "refused: the outputs are not connected; arm first")
        if not self.home.active:
            self.plan.cancel(waiting(Reason.HOME, "moved to the start pose"), now)
            self.home.start(steady)
        return ResetResult(True, self.home.message)

    def new_episode(self) -> None:
        """The robot was put elsewhere: it is at rest, and knows no command."""
        # Commands come while the clock stands still between episodes: only their ids are new.
        self.plan.cancel(waiting(Reason.EPISODE, "a new episode began"), 0)
        self.watch.recovery.restart()
        self.watch.detectors.restart()
        self.surroundings.forget()
        self.home.fail("a new episode began")
        self.path.restart()
        self.connection.start_elsewhere()

    def arm(self, armed: bool, now: int, steady: int = 0) -> None:
        """Connect the outputs (not in shadow mode), or brake and then disconnect them."""
        if armed and not self.connection.armed:
            self.path.fade_in()
        self.connection.armed = armed
        self._switch_outputs(now, steady)

    def reconfigure(self, config: SafetyConfig, now: int, steady: int = 0) -> None:
        """Take parameters that changed at run time."""
        if self.config.shadow and not config.shadow:
            self.path.fade_in()
        self.config = config
        self.plan.configure(config)
        self._switch_outputs(now, steady)

    # One period.

    def situation(self) -> Situation:
        """What holds now, beside the command of a period."""
        machine, plan = self.machine, self.plan
        return Situation(
            state=machine.state,
            since=machine.since,
            cause=machine.cause,
            causes=machine.causes,
            armed=self.connection.armed,
            shadow=self.config.shadow,
            speed_scale=self.config.speed_scale,
            command_id=plan.gate.current,
            command=plan.command,
            stop_word_heard=self.stop_word_heard,
            recovery_left=self.watch.recovery.result.left,
            faults=self.watch.faults.present(),
            bad_chunks=plan.bad_in_a_row,
            often_bad=plan.bad_in_a_row >= self.config.error_count,
            home=int(self.home.state),
            home_message=self.home.message,
        )

    def first_decision(self) -> Decision:
        """What holds before the first period: nothing is requested."""
        return Decision(
            verdict=verdict_of(self.machine.state, ()),
            state=self.machine.state,
            requested=None,
            safe=self.limiter.values,
            violations=(),
            emergency=False,
            connected=self.connection.connected,
            standstill=self.limiter.velocity_standstill,
            situation=self.situation(),
        )

    def decide(self, now: int, steady: int) -> Decision:
        """Decide on one control period."""
        moved = self.machine.state in ACTING
        event = self._observe_time(now, steady)
        self._switch_outputs(now, steady)
        driving = self._select_driver(now, steady)
        causes = list(self._causes(now, steady, event, driving))
        motion = self._motion_of(driving, now, steady)
        request = motion.row if motion is not None else None
        allowed = self.surroundings.allow(request, self.limiter.values, steady)
        if allowed.stop is not None:
            causes.append(allowed.stop)
        by_policy = driving.driver in (Driver.POLICY, Driver.NOBODY)
        causes += self.watch.recovery.update(
            causes,
            self.config.recovery_rules,
            steady,
            moved,
            ignored=frozenset() if by_policy else _POLICY_KINDS,
        ).causes
        acting = self.machine.update(causes, now) in ACTING
        if not acting:
            self.plan.drop_after(causes)
            self.home.fail(self.machine.cause.text if self.machine.cause else "not active")
            if moved and any(_is_fault(cause) for cause in causes):
                self.path.fade_in()
        return self._limit(now, steady, causes, allowed, driving if acting else None, motion, event)

    def brake(self, why: str, now: int) -> Decision:
        """The command of a period after a defect: to rest, by the limiter alone; stop latched.

        With the emergency set.
        """
        return self._stopped(self.connection.braking_command(self.config.speed_scale), why, now)

    def rest(self, why: str, now: int) -> Decision:
        """Where the limiter itself fails: no velocity at once, and the last position kept."""
        return self._stopped(self.connection.command_at_rest(), why, now)

    def _stopped(self, step: LimitedStep, why: str, now: int) -> Decision:
        self.machine.latch(_latched_stop(why), now)
        return Decision(
            verdict=Verdict.STOPPED,
            state=self.machine.state,
            requested=None,
            safe=step.safe,
            violations=step.violations,
            emergency=True,
            connected=self.connection.connected,
            standstill=not any(
                value and dimension.kind.is_velocity
                for value, dimension in zip(step.safe, self.space.dimensions, strict=True)
            ),
            situation=self.situation(),
        )

    def state_to_save(self, running: bool = True) -> SavedState:
        """What must survive the end of this process."""
        latched = self.machine.latched
        return SavedState(latched.text if latched else "", self.plan.gate.seen, running)

    def _limit(
        self,
        now: int,
        steady: int,
        causes: list[Cause],
        allowed: Allowance,
        driving: Selection | None,
        motion: Motion | None,
        event: ClockEvent,
    ) -> Decision:
        """The command of this period. driving: None where nobody may."""
        state = self.machine.state
        emergency = state is State.STOPPED or any(
            c.emergency for c in causes if c.severity is not Severity.DEGRADE
        )
        violations = allowed.violations
        slowed: tuple[LimitViolation, ...] = ()
        asked = allowed.requested if driving is not None else None
        if driving is None:
            violations += self.plan.violations_of(causes, now)
            row = self._yielding(causes)
            if row is None:
                row = self._brake_along_path(now, emergency)
            else:
                self.path.restart()  # what was planned is no way back
        elif motion is None or not self._along_path:
            row = asked
        else:
            row = self._follow_path(motion, allowed, driving, now)
            slowed = tuple(v for v in self.path.violations() if v not in violations)
        step = self.connection.limit_command(
            row,
            steady,
            emergency=emergency,
            speed_scale=self.config.speed_scale * allowed.factor,
            boundaries=allowed.boundaries,
            speed_cap=allowed.cap,
        )
        self.path.observe_command(step.safe.tolist())
        by_policy = driving is not None and driving.driver is Driver.POLICY
        limited = slowed + allowed.named(step.violations)
        self._detect(steady, driving, by_policy, step.safe.tolist(), limited)
        violations += limited
        self.home.observe_blocked(violations, steady)
        stamp = self.plan.stamp if by_policy else 0
        decision = Decision(
            verdict=verdict_of(state, violations),
            state=state,
            requested=asked,
            safe=step.safe,
            violations=violations,
            emergency=step.emergency,
            connected=self.connection.connected,
            standstill=self.limiter.velocity_standstill,
            situation=self.situation(),
            observation_stamp=stamp,
            observation_age=(now - stamp) / NANOSECONDS if stamp else None,
            command_id=self.plan.gate.current if by_policy else 0,
            warnings=(
                *warning_thresholds.warnings(self.space, step.safe.tolist()),
                *allowed.warnings,
            ),
            input=driving.name if driving is not None else "",
            missed=round(event.gap / self.space.period) if event.gap else 0,
            path_speed=self.path.speed.value,
            slowed_by=self.path.speed.factor.name,
        )
        self.connection.end_period()
        return decision

    def _yielding(self, causes: list[Cause]) -> list[float] | None:
        """What to ask for in a hold: to give way to what pushes, where nothing brakes hard."""
        hard = any(c.emergency or c.severity is Severity.STOP for c in causes)
        if hard or all(c.reason is not Reason.CONTACT for c in causes):
            return None
        rest, speed = self.limiter.hold_target().tolist(), self.config.contact_yield_speed
        return self.surroundings.contact.yielding(self.limiter.values.tolist(), rest, speed)

    def _follow_path(
        self, motion: Motion, allowed: Allowance, driving: Selection, now: int
    ) -> list[float]:
        scale = self.config.speed_scale
        ceilings = velocity_ceilings(self.space, motion.rates, scale, allowed.cap)
        factors = allowed.factors
        if allowed.factor < 1.0:
            slower = velocity_ceilings(self.space, motion.rates, scale * allowed.factor)
            factors += tuple(allowed.slowing(each) for each in slower)
        return self.path.follow(
            motion,
            factors,
            [*ceilings, *self.connection.path_ceilings(motion.rates)],
            by_policy=driving.driver is Driver.POLICY,
            fade_time=self.config.fade_in_time,
            values=self.limiter.values.tolist(),
            now=now,
        )

    def _brake_along_path(self, now: int, emergency: bool) -> list[float] | None:
        limiter = self.limiter
        return self.path.brake(
            now,
            emergency=emergency or not self._along_path,
            at_rest=limiter.standstill,
            values=limiter.values.tolist(),
            resting=limiter.hold_target().tolist(),
        )

    def _detect(
        self,
        steady: int,
        driving: Selection | None,
        by_policy: bool,
        safe: list[float],
        violations: tuple[LimitViolation, ...],
    ) -> None:
        pose = self.surroundings.pose
        self.watch.detectors.update(
            Period(
                acting=driving is not None and self.connection.connected,
                by_policy=by_policy,
                safe=safe,
                violations=violations,
                measured={**pose.rates(), **self.watch.robot.measured},
                position=pose.position,
                progress=self.plan.progress,
                command_id=self.plan.gate.current,
            ),
            self.config,
            steady,
        )

    # What a period begins with.

    def _observe_time(self, now: int, steady: int) -> ClockEvent:
        event = self.watch.observe_time(now, steady, self.config)
        self.path.advance_clock(now)
        if event.jump and not self._closing:
            self.plan.forget()
            self.watch.robot.forget_stamps()
            self.surroundings.forget()
            self.plan.cancel(waiting(Reason.CLOCK, event.jump, emergency=True), now)
        if event.gap:
            self.plan.sequencer.clear()
            self.path.restart()
            self.connection.start_after(event.gap, steady)
        return event

    def _switch_outputs(self, now: int, steady: int) -> None:
        if self.connection.switch(self.config, steady):
            self.plan.cancel(waiting(Reason.OUTPUTS, "the outputs were connected"), now)

    def _select_driver(self, now: int, steady: int) -> Selection:
        driving = self._select_by_priority(now, steady)
        if self.home.active and self.plan.gate.current:
            self.home.fail("a new command came")
        if self.home.active and driving.driver is Driver.TELEOPERATION:
            self.home.fail(f"{driving.name} drives")
        if not self.home.active or driving.driver is Driver.NOBODY:
            return driving
        self.path.fade_in()
        return _BY_HOME

    def _select_by_priority(self, now: int, steady: int) -> Selection:
        if self.teleoperation is None:
            return _BY_POLICY
        driving = self.teleoperation.select(now, steady, policy_alive=self.plan.alive(now))
        if driving.drop_plan:
            self.path.fade_in()
            self.plan.sequencer.clear()
            if self.plan.gate.current and self.teleoperation.resume is Resume.COMMAND:
                self.plan.cancel(waiting(Reason.TELEOPERATION, "a person drove"), now)
        return driving

    def _motion_of(self, driving: Selection, now: int, steady: int) -> Motion | None:
        """What the one who drives asks for."""
        if driving.driver is Driver.POLICY:
            return self.path.planned(now)
        if driving.driver is Driver.HOME:
            return self.home.motion(self._place(steady), self.config, steady)
        if driving.twist is None:
            return None
        rest = self.limiter.hold_target()
        wanted = requested(self.space, driving.twist)
        row = [float(rest[i]) if v is None else v for i, v in enumerate(wanted)]
        return self.path.motion(row)

    def _place(self, steady: int) -> Place:
        limiter = self.limiter
        return Place(
            values=limiter.values.tolist(),
            resting=limiter.hold_target().tolist(),
            at_rest=limiter.standstill,
            measured=self.watch.robot.measured,
            position=self.surroundings.pose.position_to_move_by(self.config, steady),
        )

    # Causes, the most important first.

    def _causes(
        self, now: int, steady: int, event: ClockEvent, driving: Selection
    ) -> Iterator[Cause]:
        config = self.config
        if self._closing:
            yield Cause(Reason.SHUTDOWN, Severity.HOLD, "shutting down", "started again", True)
            return
        yield from self.watch.urgent_causes(config, now, steady, event)
        yield from self.surroundings.causes(config, steady)
        yield from self.surroundings.contact.causes(config, steady, self.limiter.standstill)
        yield from self.watch.state_causes(config, steady)
        by_policy = driving.driver in (Driver.POLICY, Driver.NOBODY)
        if by_policy:
            yield from self.watch.heartbeat_causes(config, steady)
        yield from self.plan.stop_word()
        ignored = frozenset() if by_policy else _POLICY_KINDS
        levels = self.watch.fault_causes(config, steady, self.plan.alive(now))
        yield from (cause for cause in levels if cause.kind not in ignored)
        yield from self.connection.causes(config, steady)
        if driving.cause:
            reason = Reason.TELEOPERATION
            yield Cause(reason, Severity.HOLD, driving.cause, driving.clears_when, driving.brake)
        yield from self.watch.detectors.causes()
        if by_policy and not driving.cause:
            yield from self.plan.causes(now)
            yield from self.plan.bad_chunks(now)


def _is_fault(cause: Cause) -> bool:
    """Something went wrong: what comes after it is a recovery."""
    return cause.severity is not Severity.DEGRADE and (cause.emergency or cause.kind is not None)


def _latched_stop(text: str) -> Cause:
    return Cause(Reason.STOP_SERVICE, Severity.STOP, text, "reset", True)
