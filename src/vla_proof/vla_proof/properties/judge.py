"""Judges whole decisions: states, stops, targets, and the motion by the oracle. Free of ROS."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vla_contract.action_space import ActionSpace
from vla_proof.properties.checked_bounds import Bounds
from vla_proof.properties.oracle import Cap, Oracle, Sample
from vla_proof.properties.orientation_oracle import matrix
from vla_safety.decision import Decision, Verdict
from vla_safety.plan.teleoperation import POLICY
from vla_safety.watch.safety_states import State

ACTING = (State.NOMINAL, State.DEGRADED)
SETTLING = 2  # periods beside the braking time: the one in which the stop comes, and rounding


class Judge:
    """Follows the decisions of one core from its activation on.

    It is told what a person or a recorder outside would know: accepted chunks, resets, when the
    outputs were connected and with which measured motion.
    """

    def __init__(self, space: ActionSpace, bounds: Bounds | None = None) -> None:
        self.space = space
        self.bounds = bounds or Bounds()
        self._oracle: Oracle | None = None
        self._state = State.INACTIVE
        self._connected = False
        self._braking = 0
        self._may_leave_stop = True
        # What is written as numbers that wrap round is compared as a rotation.
        self._turning = [orientation.indices for orientation in space.orientations]
        inside = {i for indices in self._turning for i in indices}
        self._single = [i for i in range(space.width) if i not in inside]
        self._path_time: int | None = None
        # Least and greatest row value of each dimension that a plan may ask for.
        self._low = [math.inf] * space.width
        self._high = [-math.inf] * space.width

    # What happened between two periods.

    def clock_jumped(self) -> None:
        """Path time begins anew."""
        self._path_time = None

    def restarted(self, start: Sequence[float]) -> None:
        """The motion begins anew, from these values."""
        self._oracle = Oracle(self.space, start, self.bounds)
        self._braking = 0

    def accepted(self, rows: Sequence[float]) -> None:
        """A chunk with these values, row by row, was taken."""
        width = self.space.width
        for i in range(width):
            column = rows[i::width]
            self._low[i] = min([self._low[i], *column])
            self._high[i] = max([self._high[i], *column])

    def reset(self, done: bool) -> None:
        """The reset service was called, and answered so."""
        self._may_leave_stop = self._may_leave_stop or done

    def state_changed(self, state: State) -> None:
        """A service or an event changed the state between two periods."""
        self._judge_state(state)

    # A period.

    def take(
        self,
        decision: Decision,
        scale: float,
        *,
        pressed: bool,
        recovering: bool = False,
        caps: tuple[Cap, ...] = (),
    ) -> None:
        """Judge the decision of a period.

        pressed: so is the emergency stop. recovering: the hold is only for the recovery time, in
        which the plan is kept up to date.
        """
        values = [float(value) for value in decision.safe]
        self._judge_state(decision.state)
        demand = self.bounds.demand
        if pressed:
            demand("a pressed emergency stop stops", decision.state is State.STOPPED)
        acting = decision.state in ACTING
        demand("only an acting state follows a plan", acting or decision.requested is None)
        if decision.requested is not None:
            self._judge_target(decision.requested, values, decision)
        slow = decision.path_speed < 1.0
        demand("a path speed is a share", 0.0 <= decision.path_speed <= 1.0, decision.path_speed)
        demand("what slows is named", slow == bool(decision.slowed_by), decision.path_speed)
        demand("what is slowed is limited", not (slow and decision.verdict is Verdict.PASS))
        if not acting and not recovering:
            self._low = [math.inf] * self.space.width
            self._high = [-math.inf] * self.space.width
        assert self._oracle is not None, "the judge was not told where the motion starts"
        settled = self._oracle.settled
        self._oracle.take(Sample(values, decision.emergency, scale, caps))
        if not acting:
            demand("what stands stays", not settled or self._oracle.at_rest)
        self._judge_brake(decision)

    def take_path_time(self, path_time: int, passed: int) -> None:
        """Judge path time, ns, after a period of so many ns in which the clock did not jump."""
        if self._path_time is not None:
            gone = path_time - self._path_time
            self.bounds.demand("path time never goes back or ahead", 0 <= gone <= passed, gone)
        self._path_time = path_time

    def _judge_state(self, state: State) -> None:
        if self._state is State.STOPPED and state is not State.STOPPED:
            self.bounds.demand(
                "STOPPED is left by a reset only", self._may_leave_stop or state is State.INACTIVE
            )
        if state is State.STOPPED and self._state is not State.STOPPED:
            self._may_leave_stop = False
        self._state = state

    def _judge_target(
        self, requested: Sequence[float], values: Sequence[float], decision: Decision
    ) -> None:
        demand = self.bounds.demand
        if decision.input == POLICY:
            for i in self._single:
                value, low, high = requested[i], self._low[i], self._high[i]
                slack = 1e-9 * max(1.0, abs(value))
                # Not finite bounds: no chunk was taken since the last hold, and nothing may be
                # asked. Obstacles may have slowed it down.
                fits = min(low, 0.0) - slack <= value <= max(high, 0.0) + slack
                demand("no stale target", fits and low <= high, value, high)
        if decision.verdict is Verdict.LIMITED:
            demand("what is limited says by what", bool(decision.violations))
        elif decision.verdict is Verdict.PASS:
            same = all(
                math.isclose(requested[i], values[i], rel_tol=1e-6, abs_tol=1e-9)
                for i in self._single
            ) and all(self._turned(indices, requested, values) < 1e-6 for indices in self._turning)
            demand("what passes is sent as requested", same)

    @staticmethod
    def _turned(indices: Sequence[int], a: Sequence[float], b: Sequence[float]) -> float:
        """Greatest difference of two orientations' matrices."""
        one, other = (matrix([row[i] for i in indices]) for row in (a, b))
        return float(abs(one - other).max())

    def _judge_brake(self, decision: Decision) -> None:
        """From the first period of a hard stop on, the braking time suffices to be at rest."""
        assert self._oracle is not None
        hard = decision.state is State.STOPPED or (
            decision.state is State.HOLD and decision.emergency
        )
        self._braking = self._braking + 1 if hard else 0
        allowed = self.space.braking_time / self.space.period + SETTLING
        if self._braking > allowed:
            moving = self._oracle.speed
            self.bounds.demand("a stop ends within the braking time", moving == 0.0, moving, 0.0)
