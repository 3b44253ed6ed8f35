"""JointTrajectory messages as the positions that they ask for over time.

As joint_trajectory_controller of ros2_controllers does them: a message replaces the one before it
when it comes; its points are due at `time_from_start` after its stamp (zero: after it came); from
where the joints are then to the first point, and between points, positions are interpolated
(linear; with velocities cubic, with accelerations quintic); an empty one holds the joints where
they are.

A lone point that is due almost at once is a set-point of a stream, as the safety node and MoveIt
Servo send them: the next one comes before it is reached, so it counts from when it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import BPoly

NANOSECONDS = 1_000_000_000
SETPOINT = 100_000_000  # ns within which a lone point is a set-point
ORDERS = ("positions", "velocities", "accelerations")

Float = npt.NDArray[np.float64]


class TrajectoryError(ValueError):
    """A message that a controller refuses; the message is one line."""


@dataclass(frozen=True)
class Plan:
    """What one message asks for. begin: ns, when it came; from then on it is what counts.

    times: (P,) ns, when each knot is due. knots: (P, orders, J), positions and the derivatives
    that all points tell.
    """

    begin: int
    times: npt.NDArray[np.int64]
    knots: Float

    @cached_property
    def _curve(self) -> Any:
        return BPoly.from_derivatives((self.times - self.times[0]) / NANOSECONDS, self.knots)

    @property
    def moves(self) -> bool:
        """It asks for a way, not for a place."""
        return len(self.times) > 1 and bool(np.ptp(self.knots[:, 0], axis=0).any())

    def at(self, times: npt.NDArray[np.int64], order: int = 0) -> Float:
        """Positions (T, J) at these times, ns; order: 1 velocities, 2 accelerations."""
        inside = (times >= self.times[0]) & (times < self.times[-1])
        if len(self.times) == 1:
            ends = self.knots[np.zeros(len(times), int), 0]
            return ends if order == 0 else np.zeros_like(ends)
        clipped = np.clip(times, self.times[0], self.times[-1])
        seconds = (clipped - self.times[0]) / NANOSECONDS
        values = np.asarray(self._curve(seconds) if order == 0 else self._curve(seconds, nu=order))
        return values if order == 0 else np.where(inside[:, None], values, 0.0)


class Trajectories:
    """The messages of one topic. joints: names, in the order of the columns."""

    def __init__(self, joints: Sequence[str]) -> None:
        self._joints = list(joints)
        self._plans: list[Plan] = []
        self._measured: dict[str, float] = {}

    def observe(self, positions: Mapping[str, float]) -> None:
        """Where joints were measured to be: the first plan begins there."""
        self._measured.update(positions)

    def restart(self) -> None:
        """Time jumped: forget what was."""
        self._plans.clear()
        self._measured.clear()

    def accept(self, message: Any, stamp: int, received: int) -> None:
        """A message came; stamp: ns of its header, 0 for none; received: ns.

        Raises:
            TrajectoryError: a controller would refuse it.
        """
        if len(message.points):
            plan = self._planned(message, stamp, received)
        else:
            plan = self._hold(received)
        if self._plans and plan.begin < self._plans[-1].begin:
            raise TrajectoryError("it is older than the one before it")
        if self._plans and plan.begin == self._plans[-1].begin:
            self._plans.pop()
        self._plans.append(plan)

    def at(self, times: npt.NDArray[np.int64]) -> Float:
        """(T, J) positions at these times, ns; before the first message where that begins."""
        found = np.zeros((len(times), len(self._joints)))
        active = self._active(times)
        for number in np.unique(active):
            rows = active == number
            found[rows] = self._plans[number].at(times[rows])
        return found

    def moving(self, times: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """(T,) whether a plan is under way at these times, ns."""
        plans = [self._plans[number] for number in self._active(times)]
        return np.array(
            [p.moves and p.begin < t <= p.times[-1] for p, t in zip(plans, times, strict=True)],
            bool,
        )

    @property
    def is_empty(self) -> bool:
        """No message came."""
        return not self._plans

    def _active(self, times: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        begins = np.array([plan.begin for plan in self._plans], np.int64)
        return np.maximum(np.searchsorted(begins, times, side="right") - 1, 0)

    def _points(self, message: Any, start: int) -> tuple[npt.NDArray[np.int64], Float]:
        names = list(message.joint_names)
        missing = [name for name in self._joints if name not in names]
        if missing:
            raise TrajectoryError(f"it has no joint {', '.join(missing)}")
        columns = [names.index(name) for name in self._joints]
        points = list(message.points)
        if any(len(point.positions) != len(names) for point in points):
            raise TrajectoryError("a point has no position for each joint")
        told = [all(len(getattr(p, order)) == len(names) for p in points) for order in ORDERS]
        orders = ORDERS[: 1 + told[1] + (told[1] and told[2])]
        knots = np.array([[getattr(p, order) for order in orders] for p in points])[:, :, columns]
        after = [p.time_from_start.sec * NANOSECONDS + p.time_from_start.nanosec for p in points]
        times = np.array(after, np.int64) + start
        if not np.isfinite(knots).all():
            raise TrajectoryError("a value is not a finite number")
        if (np.diff(times) <= 0).any():
            raise TrajectoryError("its points are not one after the other in time")
        return times, knots

    def _planned(self, message: Any, stamp: int, received: int) -> Plan:
        """From where the joints are when it comes to its points; of a set-point only that."""
        start = stamp or received
        times, knots = self._points(message, start)
        setpoint = len(times) == 1 and times[0] - start <= SETPOINT
        if stamp and received - times[-1] > (NANOSECONDS if setpoint else SETPOINT):
            raise TrajectoryError("it ended before it came")
        if setpoint:
            return Plan(start, times, knots)
        if times[0] <= received:
            return Plan(received, times, knots)
        now = self._state(received, knots)
        return Plan(received, np.append([received], times), np.concatenate([now[None], knots]))

    def _state(self, now: int, knots: Float) -> Float:
        """(orders, J) as asked for now, else as measured, else as the first point has it."""
        time = np.array([now], np.int64)
        if self._plans:
            return np.stack([self._plans[-1].at(time, order)[0] for order in range(knots.shape[1])])
        state = np.zeros_like(knots[0])
        first = zip(self._joints, knots[0, 0], strict=True)
        state[0] = [self._measured.get(name, value) for name, value in first]
        return state

    def _hold(self, now: int) -> Plan:
        if not self._plans and any(name not in self._measured for name in self._joints):
            raise TrajectoryError("it is empty, and nothing tells where the joints are")
        place = self._state(now, np.zeros((1, 1, len(self._joints))))
        return Plan(now, np.array([now], np.int64), place[None])
