"""Which faults the policy has: levels, from what happened last, without ROS."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass

from vla_policy.inference import Problem, ProblemKind


class Fault(enum.Enum):
    """The kinds of fault that the policy node owns."""

    LANGUAGE = "language"
    ACTION = "action"
    COMMUNICATION = "communication"


class Level(enum.IntEnum):
    """As in Fault.msg."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class State:
    """Level of one fault and its cause, one line; empty at OK."""

    level: Level = Level.OK
    text: str = ""


_OK = State()


def _joined(one: State, other: State) -> State:
    """The worse level with both texts, the worse one's first."""
    worse, better = (one, other) if one.level >= other.level else (other, one)
    return State(worse.level, "; ".join(filter(None, (worse.text, better.text))))


_FAULT_OF = {
    ProblemKind.LANGUAGE: Fault.LANGUAGE,
    ProblemKind.OBSERVATION: Fault.COMMUNICATION,
    ProblemKind.ACTION: Fault.ACTION,
    ProblemKind.REMOTE: Fault.COMMUNICATION,
}


class Health:
    """Collects what happens to observations and tells the levels; for several threads.

    lock_step: no clock decides anything, so neither silence nor a slow inference is a fault.
    bad_outputs: so many bad outputs in a row are an error; in lock-step the first one is, because
    every observation must be answered. clock: monotonic time, s.
    """

    def __init__(
        self, clock: Callable[[], float], *, lock_step: bool = False, bad_outputs: int = 1
    ) -> None:
        self._clock = clock
        self._bad_outputs = 1 if lock_step else bad_outputs
        self._bad_in_a_row = 0
        self.fatal_in_a_row = 0
        self._lock_step = lock_step
        self._lock = threading.Lock()
        self._last_usable: float | None = None
        self._skipped = ""
        self._states = dict.fromkeys(Fault, _OK)
        self.problems = dict.fromkeys(ProblemKind, 0)
        self.skipped = 0

    def answered(self, *problems: Problem) -> bool:
        """An observation was answered, with these problems; every one is counted.

        Returns:
            False where there is no chunk to be published: the output was bad, the next
            observation is tried, and meanwhile the robot goes on with the last good chunk.
        """
        with self._lock:
            self._last_usable = self._clock()
            self._skipped = ""
            self._states = dict.fromkeys(Fault, _OK)
            fatal = any(problem.fatal for problem in problems)
            bad = any(p.fatal and p.kind is ProblemKind.ACTION for p in problems)
            self.fatal_in_a_row = self.fatal_in_a_row + 1 if fatal else 0
            self._bad_in_a_row = self._bad_in_a_row + 1 if bad else 0
            tried_again = bad and self._bad_in_a_row < self._bad_outputs
            for problem in problems:
                self.problems[problem.kind] += 1
                fault = _FAULT_OF[problem.kind]
                state = self._state(problem, tried_again=tried_again and problem.fatal)
                self._states[fault] = _joined(self._states[fault], state)
            return not tried_again

    def _state(self, problem: Problem, *, tried_again: bool) -> State:
        if tried_again:
            count = f"{self._bad_in_a_row} of {self._bad_outputs}"
            return State(Level.WARN, f"{problem.text} ({count} in a row; tried again)")
        return State(Level.ERROR if problem.fatal else Level.WARN, problem.text)

    def skip(self, reason: str) -> None:
        """An observation was not worked on."""
        with self._lock:
            self.skipped += 1
            self._skipped = reason

    def states(
        self, busy_for: float, worker_timeout: float, observation_timeout: float
    ) -> dict[Fault, State]:
        """Present level of every fault; times in s."""
        with self._lock:
            states = dict(self._states)
            if self._lock_step:
                return states
            if busy_for > worker_timeout:
                states[Fault.ACTION] = State(
                    Level.ERROR, f"an inference has run for more than {worker_timeout} s"
                )
            elif busy_for == 0.0:
                # While an inference runs, observations wait: that is not silence.
                silence = self._silence(observation_timeout)
                states[Fault.COMMUNICATION] = silence or states[Fault.COMMUNICATION]
            return states

    def _silence(self, timeout: float) -> State | None:
        if self._last_usable is None:
            return State(Level.WARN, self._skipped or "no observation yet")
        if self._clock() - self._last_usable > timeout:
            reason = self._skipped or "none arrives"
            return State(Level.ERROR, f"no usable observation for more than {timeout} s: {reason}")
        return None
