"""Which faults the policy has: levels, from what happened last, without ROS."""

from __future__ import annotations

import threading
from collections.abc import Callable

from vla_contract.message_enums import FaultKind, Level
from vla_contract.node.fault_publisher import Finding
from vla_policy.inference.inference import Problem, ProblemKind

KINDS = (FaultKind.LANGUAGE, FaultKind.ACTION, FaultKind.COMMUNICATION)
_KIND_OF = {
    ProblemKind.LANGUAGE: FaultKind.LANGUAGE,
    ProblemKind.OBSERVATION: FaultKind.COMMUNICATION,
    ProblemKind.ACTION: FaultKind.ACTION,
    ProblemKind.REMOTE: FaultKind.COMMUNICATION,
}


class Health:
    """Collects what happens to observations and tells what is wrong; for several threads.

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
        self._findings: dict[FaultKind, list[Finding]] = {kind: [] for kind in KINDS}
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
            self._findings = {kind: [] for kind in KINDS}
            fatal = any(problem.fatal for problem in problems)
            bad = any(p.fatal and p.kind is ProblemKind.ACTION for p in problems)
            self.fatal_in_a_row = self.fatal_in_a_row + 1 if fatal else 0
            self._bad_in_a_row = self._bad_in_a_row + 1 if bad else 0
            tried_again = bad and self._bad_in_a_row < self._bad_outputs
            for problem in problems:
                self.problems[problem.kind] += 1
                finding = self._finding(problem, tried_again=tried_again and problem.fatal)
                self._findings[_KIND_OF[problem.kind]].append(finding)
            return not tried_again

    def _finding(self, problem: Problem, *, tried_again: bool) -> Finding:
        if tried_again:
            count = f"{self._bad_in_a_row} of {self._bad_outputs}"
            return Level.WARN, f"{problem.text} ({count} in a row; tried again)"
        return Level.ERROR if problem.fatal else Level.WARN, problem.text

    def skip(self, reason: str) -> None:
        """An observation was not worked on."""
        with self._lock:
            self.skipped += 1
            self._skipped = reason

    def findings(
        self, busy_for: float, worker_timeout: float, observation_timeout: float
    ) -> dict[FaultKind, list[Finding]]:
        """What is wrong of every kind now; times in s."""
        with self._lock:
            found = {kind: list(findings) for kind, findings in self._findings.items()}
            if self._lock_step:
                return found
            if busy_for > worker_timeout:
                text = f"an inference has run for more than {worker_timeout} s"
                found[FaultKind.ACTION] = [(Level.ERROR, text)]
            elif busy_for == 0.0:
                # While an inference runs, observations wait: that is not silence.
                silence = self._silence(observation_timeout)
                if silence is not None:
                    found[FaultKind.COMMUNICATION] = [silence]
            return found

    def _silence(self, timeout: float) -> Finding | None:
        if self._last_usable is None:
            return Level.WARN, self._skipped or "no observation yet"
        if self._clock() - self._last_usable > timeout:
            reason = self._skipped or "none arrives"
            return Level.ERROR, f"no usable observation for more than {timeout} s: {reason}"
        return None
