"""nav2_velocity_smoother's VelocitySmoother without ROS: one call of `step` per timer tick."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

Twist = tuple[float, ...]


@dataclass(frozen=True)
class SmootherParameters:
    """As in nav2, with its defaults: three axes (x, y, theta) or six.

    Hz, m/s, rad/s and their derivatives; decelerations are negative. timeouts: s.

    Raises:
        ValueError: what nav2 refuses to configure.
    """

    smoothing_frequency: float = 20.0
    scale_velocities: bool = False
    feedback: str = "OPEN_LOOP"
    max_velocity: Twist = (0.50, 0.0, 2.5)
    min_velocity: Twist = (-0.50, 0.0, -2.5)
    max_accel: Twist = (2.5, 0.0, 3.2)
    max_decel: Twist = (-2.5, 0.0, -3.2)
    deadband_velocity: Twist = (0.0, 0.0, 0.0)
    velocity_timeout: float = 1.0
    odom_duration: float = 0.1

    def __post_init__(self) -> None:
        if self.smoothing_frequency <= 0.0:
            raise ValueError("smoothing_frequency should be > 0")
        if self.feedback not in ("OPEN_LOOP", "CLOSED_LOOP"):
            raise ValueError("Invalid feedback_type, options are OPEN_LOOP and CLOSED_LOOP.")
        vectors = (
            self.max_velocity,
            self.min_velocity,
            self.max_accel,
            self.max_decel,
            self.deadband_velocity,
        )
        if len({len(vector) for vector in vectors}) != 1 or len(vectors[0]) not in (3, 6):
            raise ValueError("Invalid setting of kinematic and/or deadband limits!")
        if any(value > 0.0 for value in self.max_decel):
            raise ValueError("Positive values set of deceleration!")
        if any(value < 0.0 for value in self.max_accel):
            raise ValueError("Negative values set of acceleration!")
        if any(value > 0.0 for value in self.min_velocity):
            raise ValueError("Positive values set of min_velocities!")
        if any(value < 0.0 for value in self.max_velocity):
            raise ValueError("Negative values set of max_velocities!")


class OdomSmoother:
    """nav2_util's: the mean of the velocities of the last `duration` seconds."""

    def __init__(self, duration: float, axes: int) -> None:
        self._duration = duration
        self._axes = axes
        self._history: deque[tuple[float, Twist]] = deque()

    def add(self, now: float, twist: Twist) -> None:
        """Note a measurement."""
        self._history.append((now, twist))
        while now - self._history[0][0] > self._duration:
            self._history.popleft()

    @property
    def twist(self) -> Twist:
        """The mean, 0 without measurements."""
        count = len(self._history)
        if not count:
            return (0.0,) * self._axes
        return tuple(sum(t[axis] for _, t in self._history) / count for axis in range(self._axes))


class VelocitySmoother:
    """The node's timer callback and what it keeps."""

    def __init__(self, parameters: SmootherParameters) -> None:
        self.parameters = parameters
        self._zero: Twist = (0.0,) * len(parameters.max_velocity)
        self._last = self._zero
        self._odometry = OdomSmoother(parameters.odom_duration, len(self._zero))
        self._stopped = True
        self.command: Twist | None = None
        self._command_time = 0.0

    def take_command(self, now: float, twist: Twist) -> None:
        """inputCommandStampedCallback; NaN and Inf are ignored."""
        if all(map(math.isfinite, twist)):
            self.command, self._command_time = twist, now

    def take_odometry(self, now: float, twist: Twist) -> None:
        """The robot's measured velocity, for CLOSED_LOOP."""
        self._odometry.add(now, twist)

    def step(self, now: float) -> Twist | None:
        """smootherTimer: what is published, if anything is."""
        if self.command is None:
            return None
        p = self.parameters
        if now - self._command_time > p.velocity_timeout:
            if self._last == self._zero or self._stopped:
                self._stopped = True
                return None
            self.command = self._zero
        self._stopped = False
        current = self._last if p.feedback == "OPEN_LOOP" else self._odometry.twist
        self.command = tuple(
            min(max(c, low), high)
            for c, low, high in zip(self.command, p.min_velocity, p.max_velocity, strict=True)
        )
        eta = self._eta(current, self.command) if p.scale_velocities else 1.0
        self._last = tuple(
            self.apply_constraints(v, c, a, d, eta)
            for v, c, a, d in zip(current, self.command, p.max_accel, p.max_decel, strict=True)
        )
        return tuple(
            0.0 if abs(v) < dead else v
            for v, dead in zip(self._last, p.deadband_velocity, strict=True)
        )

    def find_eta_constraint(
        self, current: float, command: float, accel: float, decel: float
    ) -> float:
        """findEtaConstraint: the share of the change that fits into a period; -1: all of it."""
        change = command - current
        low, high = self._window(current, command, accel, decel)
        if change > high:
            return high / change
        if change < low:
            return low / change
        return -1.0

    def apply_constraints(
        self, current: float, command: float, accel: float, decel: float, eta: float
    ) -> float:
        """applyConstraints: the next velocity of one axis."""
        low, high = self._window(current, command, accel, decel)
        return current + min(max(eta * (command - current), low), high)

    def _window(
        self, current: float, command: float, accel: float, decel: float
    ) -> tuple[float, float]:
        """Least and greatest change of velocity in one period."""
        rate = self.parameters.smoothing_frequency
        if abs(command) >= abs(current) and current * command >= 0.0:
            return -accel / rate, accel / rate
        return decel / rate, -decel / rate

    def _eta(self, current: Twist, command: Twist) -> float:
        p, eta = self.parameters, 1.0
        for v, c, a, d in zip(current, command, p.max_accel, p.max_decel, strict=True):
            found = self.find_eta_constraint(v, c, a, d)
            if found > 0.0 and abs(1.0 - found) > abs(1.0 - eta):
                eta = found
        return eta
