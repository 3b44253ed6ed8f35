"""A person who comes to the robot and goes again, and how fast it may be meanwhile. ROS-free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# ISO 13855: of a person who walks, m/s. The person counts as a cylinder of this radius, m.
WALKING, RADIUS = 1.6, 0.25
# Distances between robot and person at which it must stand, and may be at full speed, m.
STOP, FREE = 0.5, 1.5
FAR, NEAR = 3.0, 0.6  # m from the middle of the workspace
MIDDLE = (0.0, 0.6)


@dataclass(frozen=True)
class Visit:
    """begin, stay: s. direction: of where the person comes from, seen from the workspace, rad."""

    begin: float
    stay: float
    direction: float


class WalkingPerson:
    """Comes and goes for as long as an episode lasts, the same for the same seed."""

    def __init__(self, seed: int, longest: float = 30.0) -> None:
        source = np.random.default_rng(seed)
        self._visits: list[Visit] = []
        # They may be there from the beginning: episodes are short.
        begin = float(source.uniform(-2.0 * _WALK, 0.3))
        while begin < longest:
            # Not from the side of the robot's own base.
            visit = Visit(
                begin, float(source.uniform(0.3, 1.0)), float(source.uniform(0.0, math.pi))
            )
            self._visits.append(visit)
            begin += 2.0 * _WALK + visit.stay + float(source.uniform(0.3, 1.5))

    def position(self, time: float) -> tuple[float, float]:
        """Where the person's middle is at this time, m."""
        distance, direction = FAR, 0.0
        for visit in self._visits:
            walked = min(time - visit.begin, 2.0 * _WALK + visit.stay - (time - visit.begin))
            if walked > 0.0:
                distance = max(NEAR, FAR - WALKING * walked)
                direction = visit.direction
        return (
            MIDDLE[0] + distance * math.cos(direction),
            MIDDLE[1] + distance * math.sin(direction),
        )

    def share(self, time: float, hand: Sequence[float]) -> float:
        """Share of the velocity limits that the robot may use, 0 to 1. hand: x, y (more), m."""
        x, y = self.position(time)
        distance = math.hypot(x - hand[0], y - hand[1]) - RADIUS
        return min(1.0, max(0.0, (distance - STOP) / (FREE - STOP)))


_WALK = (FAR - NEAR) / WALKING
