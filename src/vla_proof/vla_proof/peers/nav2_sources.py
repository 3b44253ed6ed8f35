"""The sources of nav2_collision_monitor without ROS: messages → points, or None where invalid.

A mount is where the sensor is in the base's frame: x, y, z (m), not turned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
_MOST_RANGE_POINTS = 10_000


@dataclass
class Source:
    """What all have in common. timeout: s; 0: never too old. stamp: s, of the last message."""

    timeout: float = 2.0
    enabled: bool = True
    mount: tuple[float, float, float] = (0.0, 0.0, 0.0)
    stamp: float | None = None

    def points(self, now: float) -> list[Point] | None:
        """getData: None without valid data."""
        if self.stamp is None:
            return None
        if self.timeout != 0.0 and now - self.stamp > self.timeout:
            return None
        return self._read()

    def _read(self) -> list[Point] | None:
        raise NotImplementedError

    def _placed(self, x: float, y: float) -> Point:
        return (x + self.mount[0], y + self.mount[1])


@dataclass
class Scan(Source):
    """LaserScan."""

    ranges: Sequence[float] = ()
    angle_min: float = 0.0
    angle_increment: float = 0.0
    range_min: float = 0.0
    range_max: float = math.inf

    def _read(self) -> list[Point]:
        found = []
        angle = self.angle_min
        for value in self.ranges:
            if self.range_min <= value <= self.range_max:
                found.append(self._placed(value * math.cos(angle), value * math.sin(angle)))
            angle += self.angle_increment
        return found


@dataclass
class RangeFinder(Source):
    """Range."""

    range: float = math.nan
    field_of_view: float = 0.0
    min_range: float = 0.0
    max_range: float = 0.0
    obstacles_angle: float = math.pi / 180.0

    def _read(self) -> list[Point] | None:
        if not (self.field_of_view > 0.0 and self.min_range <= self.range <= self.max_range):
            return None
        if math.ceil(self.field_of_view / self.obstacles_angle) + 1 > _MOST_RANGE_POINTS:
            return None
        found = []
        angle, end = -0.5 * self.field_of_view, 0.5 * self.field_of_view
        while angle < end:
            found.append(self._at(angle))
            angle += self.obstacles_angle
        return [*found, self._at(end)]

    def _at(self, angle: float) -> Point:
        return self._placed(self.range * math.cos(angle), self.range * math.sin(angle))


@dataclass
class Cloud(Source):
    """PointCloud2, its points as (x, y, z) in the sensor's frame."""

    cloud: Sequence[tuple[float, float, float]] = ()
    min_height: float = 0.05
    max_height: float = 0.5
    min_range: float = 0.0

    def _read(self) -> list[Point]:
        return [
            self._placed(x, y)
            for x, y, z in self.cloud
            if math.sqrt(x * x + y * y + z * z) >= self.min_range
            and self.min_height <= z + self.mount[2] <= self.max_height
        ]
