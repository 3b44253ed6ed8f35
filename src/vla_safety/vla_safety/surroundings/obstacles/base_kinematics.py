"""Where a base goes with a constant velocity, and points as it sees them there. Free of ROS.

Poses are in the base's frame of now; velocities in the base's own frame at every moment, so a
constant one drives an arc. Lengths in m, angles in rad, times in s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

# Below this angle sin(a) / a and (1 - cos(a)) / a are their series, which lose no digits.
_SMALL_ANGLE = 1e-4


@dataclass(frozen=True)
class Twist2D:
    """Velocity in the base's frame: m/s forward and to the left, rad/s counter-clockwise."""

    vx: float = 0.0
    vy: float = 0.0
    wz: float = 0.0

    @property
    def linear(self) -> float:
        """Magnitude of the linear part, m/s."""
        return math.hypot(self.vx, self.vy)

    @property
    def is_zero(self) -> bool:
        """Standing still."""
        return self.vx == 0.0 and self.vy == 0.0 and self.wz == 0.0

    @property
    def is_finite(self) -> bool:
        """No part is NaN or infinite."""
        return math.isfinite(self.vx) and math.isfinite(self.vy) and math.isfinite(self.wz)

    def scaled(self, ratio: float) -> Twist2D:
        """The same path, driven at this share of the speed."""
        return Twist2D(self.vx * ratio, self.vy * ratio, self.wz * ratio)


@dataclass(frozen=True)
class Pose2D:
    """Position, m, and heading, rad."""

    x: float = 0.0
    y: float = 0.0
    theta: float = 0.0


def project(pose: Pose2D, twist: Twist2D, dt: float) -> Pose2D:
    """Pose after `dt` seconds with a constant velocity in the base's own frame: exactly an arc."""
    angle = twist.wz * dt
    along, across = _arc(angle)
    dx = (twist.vx * along - twist.vy * across) * dt
    dy = (twist.vx * across + twist.vy * along) * dt
    cos, sin = math.cos(pose.theta), math.sin(pose.theta)
    return Pose2D(pose.x + dx * cos - dy * sin, pose.y + dx * sin + dy * cos, pose.theta + angle)


def into_frame(points: Array, pose: Pose2D) -> Array:
    """Points, shape (n, 2), as seen from `pose`."""
    cos, sin = math.cos(pose.theta), math.sin(pose.theta)
    rotation = np.array([[cos, -sin], [sin, cos]])
    return np.asarray((points - (pose.x, pose.y)) @ rotation)


def along_path(twist: Twist2D, times: Array) -> Array:
    """x, y, cos and sin of the heading where the base is at each time, shape (4, len(times))."""
    angle = twist.wz * times
    cos, sin = np.cos(angle), np.sin(angle)
    if twist.wz == 0.0:
        along, across = times, np.zeros_like(times)
    else:
        small = np.abs(angle) < _SMALL_ANGLE
        along = np.where(small, times * (1.0 - angle * angle / 6.0), sin / twist.wz)
        across = np.where(small, 0.5 * times * angle, (1.0 - cos) / twist.wz)
    x = twist.vx * along - twist.vy * across
    y = twist.vx * across + twist.vy * along
    return np.array((x, y, cos, sin))


def _arc(angle: float) -> tuple[float, float]:
    """sin(a) / a and (1 - cos(a)) / a: the mean of cos and of sin from 0 to a."""
    if abs(angle) < _SMALL_ANGLE:
        return 1.0 - angle * angle / 6.0, 0.5 * angle
    return math.sin(angle) / angle, (1.0 - math.cos(angle)) / angle
