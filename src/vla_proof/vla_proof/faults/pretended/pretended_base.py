"""The pretended robot's wheels: they follow commands at once, and brake when these cease."""

from __future__ import annotations

import math
from dataclasses import dataclass

WATCHDOG = 0.2  # s without a command after which the driver brakes by itself
DECELERATION = 2.0  # m/s^2 and rad/s^2 of that brake
TRACK, WHEEL = 0.4, 0.1  # m between the wheels, and their radius


@dataclass
class Base:
    """Pose (m, rad) and velocity (m/s, rad/s) of a differential drive; times are s, steady."""

    x: float = 0.0
    y: float = 0.0
    heading: float = 0.0
    linear: float = 0.0
    angular: float = 0.0
    heard: float = -math.inf
    left: float = 0.0  # rad, of the wheels
    right: float = 0.0

    def command(self, linear: float, angular: float, now: float) -> None:
        """Take a command; one that is not finite is ignored, as drivers do."""
        if math.isfinite(linear) and math.isfinite(angular):
            self.linear, self.angular, self.heard = linear, angular, now

    def move(self, now: float, step: float) -> None:
        """Drive for `step` s."""
        if now - self.heard > WATCHDOG:
            self.linear = _towards_zero(self.linear, DECELERATION * step)
            self.angular = _towards_zero(self.angular, DECELERATION * step)
        self.heading += self.angular * step
        turn = self.angular * TRACK / 2.0
        self.left += (self.linear - turn) / WHEEL * step
        self.right += (self.linear + turn) / WHEEL * step
        self.x += self.linear * math.cos(self.heading) * step
        self.y += self.linear * math.sin(self.heading) * step


def _towards_zero(value: float, change: float) -> float:
    return math.copysign(max(0.0, abs(value) - change), value)
