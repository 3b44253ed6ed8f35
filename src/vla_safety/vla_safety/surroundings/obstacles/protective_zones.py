"""Zones around the base and what points in them ask of its motion: nav2's models. Free of ROS.

A zone answers with the share of the speed that may be driven on, so that the path stays the same:
stop 0, slowdown its ratio, limit what keeps its caps, approach the time to a collision over the
time that there must be. The smallest share of all zones wins.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vla_safety.surroundings.obstacles.base_kinematics import Array, Twist2D
from vla_safety.surroundings.obstacles.footprint import Shape
from vla_safety.surroundings.obstacles.time_to_collision import Lookahead


class Action(enum.Enum):
    """What a zone, or the whole verdict, asks for."""

    NONE = "none"
    SLOWDOWN = "slowdown"
    LIMIT = "limit"
    APPROACH = "approach"
    STOP = "stop"


@dataclass(frozen=True)
class Zone:
    """One zone. See `ZoneConfig` for what the numbers mean and where they are checked.

    linear_limit: m/s. angular_limit: rad/s. time_before_collision, simulation_time_step: s.
    """

    name: str
    action: Action
    shape: Shape
    min_points: int = 1
    slowdown_ratio: float = 0.5
    linear_limit: float = 0.5
    angular_limit: float = 0.5
    time_before_collision: float = 2.0
    simulation_time_step: float = 0.1

    @cached_property
    def times(self) -> Array:
        """The moments at which an approach looks ahead, s: 0 and every step."""
        steps = math.ceil(self.time_before_collision / self.simulation_time_step - 1e-9)
        return np.asarray(np.arange(steps + 1) * self.simulation_time_step)

    @cached_property
    def lookahead(self) -> Lookahead:
        """Where it is at each of these moments."""
        return Lookahead(self.shape, self.times, self.simulation_time_step)


@dataclass(frozen=True)
class Outcome:
    """What one zone asks for.

    ratio: share of the commanded speed, 0 to 1. time_to_collision: s, of an approach.
    """

    zone: Zone
    ratio: float
    time_to_collision: float | None = None


def outcome_of(zone: Zone, inside: int, twist: Twist2D) -> Outcome | None:
    """What a stop, slowdown or limit asks for with so many points inside, or None.

    twist: the commanded motion.
    """
    if inside < zone.min_points:
        return None
    if zone.action is Action.STOP:
        return Outcome(zone, 0.0)
    if zone.action is Action.SLOWDOWN:
        return Outcome(zone, zone.slowdown_ratio)
    return Outcome(zone, limiting_ratio(twist, zone.linear_limit, zone.angular_limit))


def approach(zone: Zone, points: Array, twist: Twist2D) -> Outcome | None:
    """What an approach asks for, or None. points: shape (n, 2), base frame."""
    if twist.is_zero:
        return None
    time = time_to_collision(zone, points, twist)
    if time is None:
        return None
    return Outcome(zone, min(1.0, time / zone.time_before_collision), time)


def limiting_ratio(twist: Twist2D, linear: float, angular: float) -> float:
    """Share of the speed that keeps both caps."""
    ratio = 1.0
    if twist.linear > linear:
        ratio = linear / twist.linear
    if abs(twist.wz) > angular:
        ratio = min(ratio, angular / abs(twist.wz))
    return ratio


def time_to_collision(zone: Zone, points: Array, twist: Twist2D) -> float | None:
    """Last moment on the way at which the zone is still free, s; None: free all the time.

    0 where it is not free now. The step in which the collision happens does not count, so the
    answer is never later than the collision.
    """
    if len(points) < zone.min_points:
        return None
    first = zone.lookahead.first_hit(points.T, twist, zone.min_points)
    return None if first is None else float(zone.times[max(0, first - 1)])
