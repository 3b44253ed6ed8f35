"""One ExecuteCommand goal from its acceptance to its result, as a state machine without ROS.

Times are s on a clock that the caller chooses and that does not go back.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from vla_contract.message_enums import Outcome
from vla_perception.command.active_command import End

SETTLE_TIME = 0.2  # s; a chunk that is under way may still move the robot after the end


OUTCOME_OF = {
    End.NEWER: Outcome.PREEMPTED,
    End.STOP: Outcome.STOPPED,
    End.DONE: Outcome.SUCCEEDED,
    End.TIMEOUT: Outcome.TIMED_OUT,
    End.CANCELED: Outcome.CANCELED,
    End.CLOCK: Outcome.FAILED,
    End.FAILED: Outcome.FAILED,
}


class Phase(enum.Enum):
    """Where a goal is."""

    RUNNING = "running"
    COMING_TO_REST = "coming to rest"
    ENDED = "ended"


@dataclass(frozen=True)
class ExecutionResult:
    """outcome, why in words, and the time from acceptance to standstill, s."""

    outcome: Outcome
    reason: str
    duration: float


class Execution:
    """The life of one goal.

    lock_step: simulation time stands still between runs, so that nothing may wait for it: no
    settling, and no time-outs but the command's own.
    """

    def __init__(
        self,
        command_id: int,
        started: float,
        execution_timeout: float,
        standstill_timeout: float,
        *,
        lock_step: bool = False,
    ) -> None:
        self.command_id = command_id
        self.phase = Phase.RUNNING
        self.result: ExecutionResult | None = None
        self.progress = math.nan
        self._started = started
        self._served = {"an action_chunk": started, "a safety_status": started}
        self._execution_timeout = math.inf if lock_step else execution_timeout
        self._standstill_timeout = math.inf if lock_step else standstill_timeout
        self._settle_time = 0.0 if lock_step else SETTLE_TIME
        self._outcome = Outcome.FAILED
        self._reason = ""
        self._ending_since = math.nan
        self._standstill = False

    def restart(self, now: float) -> None:
        """Count its time from now."""
        self._started = now
        self._served = dict.fromkeys(self._served, now)

    def elapsed(self, now: float) -> float:
        """Time since acceptance, s."""
        return now - self._started

    def chunk(self, now: float, command_id: int, progress: float) -> None:
        """A chunk came; only those of this goal's command count."""
        if command_id == self.command_id:
            self._served["an action_chunk"] = now
            self.progress = progress

    def safety_status(self, now: float, standstill: bool) -> None:
        """The safety node said whether the robot stands still."""
        self._served["a safety_status"] = now
        # What was said before the end may be overtaken by a chunk that was under way.
        self._standstill = standstill and self.phase == Phase.COMING_TO_REST
        self.check(now)

    def end(self, now: float, end: End, reason: str) -> None:
        """Something ended the command; the first cause is the one that counts.

        A newer command lets the robot go on moving: its goal is over without a standstill.
        """
        if self.phase == Phase.ENDED:
            return
        newer = end == End.NEWER
        if self.phase == Phase.COMING_TO_REST:
            if newer:
                self._finish(now, f"{self._reason}; {reason} before the robot stood still")
            return
        self._outcome, self._reason = OUTCOME_OF[end], reason
        self.phase = Phase.COMING_TO_REST
        self._ending_since = now
        if newer:
            self._finish(now, reason)

    def check(self, now: float) -> str:
        """Advance with time.

        Returns:
            Why the goal cannot be executed, once nobody has served it for too long; else "".
        """
        if self.phase == Phase.RUNNING:
            what, last = min(self._served.items(), key=lambda item: item[1])
            silence = now - last
            return f"not {what} for {silence:.1f} s" if silence > self._execution_timeout else ""
        if self.phase == Phase.COMING_TO_REST:
            waited = now - self._ending_since
            if self._standstill and waited >= self._settle_time:
                self._finish(now, self._reason)
            elif waited > self._standstill_timeout:
                self._outcome = Outcome.FAILED
                self._finish(
                    now, f"{self._reason}; no standstill was reported within {waited:.1f} s"
                )
        return ""

    def abandon(self, now: float, reason: str) -> None:
        """End at once, without a standstill: the node goes."""
        if self.phase != Phase.ENDED:
            self._outcome = Outcome.FAILED
            self._finish(now, reason)

    def _finish(self, now: float, reason: str) -> None:
        self.phase = Phase.ENDED
        self.result = ExecutionResult(self._outcome, reason, self.elapsed(now))
