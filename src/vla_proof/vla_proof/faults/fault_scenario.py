"""What a scenario is, and how one repeat of it is played and judged."""

from __future__ import annotations

import enum
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from vla_contract.action_space import ActionSpace
from vla_proof.faults import fault_checks
from vla_proof.faults.fault_rig import Rig, Settings
from vla_proof.faults.recorded_commands import STOPPED, Reaction, Tick

SETTLE = 0.5  # s of steady motion before each repeat
BRAKE_PATIENCE = 10.0  # s beyond the timeout in which a brake must be seen at all
RECOVERY_PATIENCE = 30.0  # s
ANSWER_PATIENCE = 5.0  # s


class Recovery(enum.Enum):
    """What lets the robot go on once the fault is over."""

    ITSELF = "by itself"
    COMMAND = "a new command"
    RESET = "reset, then a new command"


@dataclass(frozen=True)
class Injected:
    """When a fault began.

    since: steady ns before which nothing is looked at. last_valid: of the last valid input, ns of
    the clock of SafeAction's stamp; None: the observation that the robot last acted on; with
    `steady` ns of the steady clock, compared with the command's arrival here.
    """

    since: int
    last_valid: int | None = None
    steady: bool = False


@dataclass(frozen=True)
class Scenario:
    """A fault and what is expected of the graph.

    timeout: s from the last valid input to the brake that is allowed beside two periods; None: the
    robot need not brake. braking: s that the brake may take, by the action space. lasting: s that
    the fault goes on after the robot rests (or in all). settings: of the rig that it needs. judge:
    problems of its own. unavailable: why it cannot be played here, in words.
    """

    name: str
    what: str
    expected: str
    inject: Callable[[Rig], Injected]
    clear: Callable[[Rig], object]
    timeout: Callable[[Rig], float] | None = None
    braking: Callable[[ActionSpace], float] = lambda space: space.braking_time
    recovery: Recovery = Recovery.ITSELF
    lasting: float = 0.5
    settings: Settings = Settings()
    judge: Callable[[Rig, Injected], Iterator[str]] = lambda rig, injected: iter(())
    reaction: Callable[[Rig, Injected], Reaction | None] | None = None
    unavailable: Callable[[], str] = lambda: ""


@dataclass(frozen=True)
class Repeat:
    """What came of one.

    recovery: s from the end of the fault to steady motion. lost: the graph did not get over it.
    """

    reaction: Reaction = Reaction()
    recovery: float = math.nan
    problems: tuple[str, ...] = ()
    cause: str = ""
    lost: bool = False


@dataclass
class Outcome:
    """All repeats of a scenario; not_run: why it was not played."""

    scenario: Scenario
    repeats: list[Repeat] = field(default_factory=list)
    not_run: str = ""

    @property
    def problems(self) -> list[str]:
        """Of every repeat."""
        return [problem for repeat in self.repeats for problem in repeat.problems]


def play(rig: Rig, scenario: Scenario) -> Repeat:
    """One repeat: steady motion, the fault, its end, steady motion again."""
    if not _settled(rig):
        return Repeat(problems=(f"does not move before the fault: {rig.cause()}",), lost=True)
    rig.record.forget_before(time.monotonic_ns() - 2_000_000_000)
    injected = scenario.inject(rig)
    problems: list[str] = []
    repeat = Repeat()
    if scenario.timeout is None:
        rig.spin(scenario.lasting)
    else:
        repeat, problems = _brake(rig, scenario, injected)
        repeat = replace(repeat, cause=rig.cause())
    scenario.clear(rig)
    over = time.monotonic()
    lasting = _recover(rig, scenario)
    problems += lasting
    repeat = replace(repeat, recovery=time.monotonic() - over, lost=bool(lasting))
    problems += _alive(rig)
    problems += scenario.judge(rig, injected)
    rig.spin(0.1)  # what is still under way on either topic
    problems += fault_checks.limit_problems(rig.record.ticks, rig.space)
    first = rig.record.ticks[0].arrived if rig.record.ticks else 0
    sent = [message for message in rig.record.sent if message.arrived >= first + 200_000_000]
    problems += fault_checks.topic_problems(rig.record.ticks, sent)
    return replace(repeat, problems=tuple(problems))


def _settled(rig: Rig) -> bool:
    """Bring about steady motion that lasts."""
    for _ in range(5):
        if not rig.cruising() and not _set_moving(rig):
            return False
        rig.spin(SETTLE)
        if rig.cruising():
            return True
    return False


def _set_moving(rig: Rig) -> bool:
    if rig.last is not None and rig.last.state == STOPPED:
        rig.trigger("reset")
    return rig.move()


def _brake(rig: Rig, scenario: Scenario, injected: Injected) -> tuple[Repeat, list[str]]:
    """Wait for the brake, and see that the robot stays at rest while the fault lasts."""
    assert scenario.timeout is not None
    timeout = scenario.timeout(rig)
    if scenario.reaction is not None:
        return _own_reaction(rig, scenario, injected)

    def found() -> tuple[Tick, Tick] | None:
        return fault_checks.brake(rig.record.ticks_since(injected.since), injected.since)

    if not rig.wait(found, timeout + BRAKE_PATIENCE):
        return Repeat(), [f"no brake within {timeout + BRAKE_PATIENCE:g} s of the fault"]
    first, rest = found() or (None, None)
    assert first is not None and rest is not None
    reaction = _reaction(rig, injected, first, rest, timeout)
    problems = list(
        fault_checks.reaction_problems(reaction, rig.period, scenario.braking(rig.space))
    )
    rig.spin(scenario.lasting)
    moved = [t for t in rig.record.ticks_since(rest.arrived) if t.number > rest.number]
    if any(not tick.at_rest for tick in moved):
        problems.append("moved again while the fault lasted")
    return Repeat(reaction), problems


def _own_reaction(rig: Rig, scenario: Scenario, injected: Injected) -> tuple[Repeat, list[str]]:
    assert scenario.reaction is not None and scenario.timeout is not None
    found = scenario.reaction
    if not rig.wait(lambda: found(rig, injected) is not None, BRAKE_PATIENCE):
        return Repeat(), ["the robot did not brake"]
    reaction = found(rig, injected) or Reaction()
    rig.spin(scenario.lasting)
    return Repeat(reaction), list(
        fault_checks.reaction_problems(reaction, rig.period, scenario.braking(rig.space))
    )


def _reaction(rig: Rig, injected: Injected, first: Tick, rest: Tick, timeout: float) -> Reaction:
    if injected.steady:
        assert injected.last_valid is not None
        first = replace(first, stamp=first.arrived)
        return fault_checks.reaction_of(first, rest, injected.last_valid, timeout)
    last_valid = injected.last_valid
    if last_valid is None:
        acted_on = [t.observation for t in rig.record.ticks if t.number < first.number]
        last_valid = max(acted_on, default=first.stamp)
    return fault_checks.reaction_of(first, rest, last_valid, timeout)


def _recover(rig: Rig, scenario: Scenario) -> list[str]:
    if scenario.recovery is Recovery.RESET:
        end = time.monotonic() + RECOVERY_PATIENCE
        while not (answer := rig.trigger("reset")).success:
            if time.monotonic() > end:
                return [f"reset is refused after the fault: {answer.message}"]
            rig.spin(0.1)
    if scenario.recovery is Recovery.ITSELF:
        moves = rig.wait(rig.cruising, RECOVERY_PATIENCE)
    else:
        since = time.monotonic_ns()
        rig.spin(0.3)
        if any(not t.at_rest for t in rig.record.ticks if t.arrived >= since):
            return ["moves after the fault without a new command"]
        moves = rig.move(RECOVERY_PATIENCE)
    return [] if moves else [f"does not go on after the fault: {rig.cause()}"]


def _alive(rig: Rig) -> list[str]:
    """Every node answers a service and publishes."""
    problems = [
        f"{node} does not answer get_state"
        for node in rig.settings.nodes
        if not rig.answers(node, ANSWER_PATIENCE)
    ]
    since = time.monotonic_ns()

    def silent() -> list[str]:
        return [n for n in rig.settings.nodes if rig.record.alive.get(n, 0) < since]

    if not rig.wait(lambda: not silent(), ANSWER_PATIENCE):
        problems.append(f"silent after the fault: {', '.join(silent())}")
    return problems
