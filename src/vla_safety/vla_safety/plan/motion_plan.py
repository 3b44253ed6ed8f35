"""What the policy wants: its chunks, the command in force, and what follows from both. ROS-free.

Of the causes that are the policy's own, those of `STALE` speak of a chunk that is kept for it;
every other hold empties the plan, so that what was planned before it is not resumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vla_contract.action_space import ActionSpace
from vla_contract.message_enums import done_cause
from vla_contract.stamps import NANOSECONDS
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Limit, LimitViolation
from vla_safety.plan.command_gate import CommandGate
from vla_safety.plan.sequencing import Chunk, Refusal, Sequencer
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity

STALE = (Reason.CHUNK_AGE, Reason.CHUNK_EXHAUSTED)
# Bad chunks degrade for this long after the last of them.
_BAD_CHUNK_MEMORY = NANOSECONDS
_NEW_COMMAND = "a new command"


class Plan:
    """See the module. Times are ns of the node clock."""

    def __init__(self, space: ActionSpace, config: SafetyConfig, gate: CommandGate) -> None:
        self.config = config
        self.sequencer = Sequencer(space, config.blend_window, config.stamp_tolerance)
        self.gate = gate
        self.command = ""
        self.bad_in_a_row = 0
        self.progress = float("nan")
        self.waiting = waiting(Reason.START, "started")
        self._bad: tuple[Refusal, int] | None = None
        self._done = False
        # The robot has been braked because of the plan's age: only a newer chunk moves it again.
        self._aged = False

    def configure(self, config: SafetyConfig) -> None:
        """Take parameters that changed at run time."""
        self.config = config
        self.sequencer.configure(config.blend_window, config.stamp_tolerance)

    def accept_chunk(self, chunk: Chunk, now: int) -> Refusal | None:
        """A chunk came; returns why it is refused, if it is."""
        refusal = self.sequencer.accept(chunk, now, anew=self._aged)
        if refusal is not None:
            self._bad = (refusal, now)
            self.bad_in_a_row += 1
            return refusal
        self.bad_in_a_row = 0
        self._aged = False
        before = self.gate.current
        if not self.gate.admit(chunk.command_id, chunk.command_stamp or chunk.observation_stamp):
            self.sequencer.clear()
            return None
        self.command = chunk.command
        self.progress = chunk.progress
        self._done = (self._done and before == chunk.command_id) or chunk.done
        if self._done:
            self.sequencer.clear()
        return None

    def cancel(self, why: Cause, now: int) -> None:
        """An event: no command known so far moves the robot; `why` says what it waits for."""
        self.waiting = why
        self._done = False
        self.command = ""
        self.progress = float("nan")
        self.sequencer.clear()
        self.gate.cancel(now)

    def forget(self) -> None:
        """The clock jumped: what is known of stamps is of no use."""
        self.sequencer.forget()
        self._bad = None

    def alive(self, now: int) -> bool:
        """There are actions for now, from an observation that is young enough."""
        chunk = self.sequencer.chunk
        if chunk is None or self._done or not self.gate.current:
            return False
        aged = self._aged or self._too_old(chunk, now)
        return not aged and not self.sequencer.exhausted(now)

    def stop_word(self) -> Iterator[Cause]:
        """A stop word brakes hard, until there is a new command."""
        if self.waiting.emergency and not self.gate.current:
            yield self.waiting

    def causes(self, now: int) -> Iterator[Cause]:
        """Why there is nothing to act on."""
        if not self.gate.current:
            yield self.waiting
            return
        if self._done:
            clears = _NEW_COMMAND
            if self.config.home_pose:
                clears += " (./vla home moves it to its start pose)"
            yield Cause(Reason.DONE, Severity.HOLD, done_cause(self.command), clears)
            return
        chunk = self.sequencer.chunk
        if chunk is None:
            yield Cause(Reason.NO_CHUNK, Severity.HOLD, "no actions", "a chunk with actions")
            return
        kind = FaultKind.COMMUNICATION
        self._aged = self._aged or self._too_old(chunk, now)
        if self._aged:
            text = f"the last observation acted on is over {self.config.chunk_timeout:g} s old"
            yield Cause(Reason.CHUNK_AGE, Severity.HOLD, text, "a newer chunk", True, kind)
        if self.sequencer.exhausted(now):
            text = "the chunk ran out"
            yield Cause(Reason.CHUNK_EXHAUSTED, Severity.HOLD, text, "a newer chunk", False, kind)

    def bad_chunks(self, now: int) -> Iterator[Cause]:
        """Refused chunks degrade; the plan of before goes on."""
        if self._bad is not None and 0 <= now - self._bad[1] < _BAD_CHUNK_MEMORY:
            text = f"chunk refused: {self._bad[0].value}"
            clears = "no chunk is refused for 1 s"
            yield Cause(Reason.BAD_CHUNK, Severity.DEGRADE, text, clears)

    def violations_of(self, causes: Iterable[Cause], now: int) -> tuple[LimitViolation, ...]:
        """Age and end of the chunk that the causes speak of, as violations."""
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

    def drop_after(self, causes: Iterable[Cause]) -> None:
        """Empty the plan in a hold. While recovering it is kept up to date by new chunks."""
        kept = (*STALE, Reason.RECOVERY)
        if any(c.severity is not Severity.DEGRADE and c.reason not in kept for c in causes):
            self.sequencer.clear()

    @property
    def stamp(self) -> int:
        """Observation that the plan comes from; 0 without one."""
        chunk = self.sequencer.chunk
        return chunk.observation_stamp if chunk is not None else 0

    def _too_old(self, chunk: Chunk, now: int) -> bool:
        return now - chunk.observation_stamp > round(self.config.chunk_timeout * NANOSECONDS)


def waiting(reason: Reason, text: str, emergency: bool = False) -> Cause:
    """The cause of holding until there is a new command."""
    text = f"{text}; waiting for a new command"
    return Cause(reason, Severity.HOLD, text, _NEW_COMMAND, emergency)
