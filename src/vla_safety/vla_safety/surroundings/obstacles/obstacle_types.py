"""What goes into obstacle avoidance and what comes out of it. Free of ROS; lengths in m."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_safety.surroundings.obstacles.protective_zones import Action

Array = npt.NDArray[np.float64]
MINIMUM_DISTANCE = "minimum distance"


@dataclass(frozen=True)
class Reading:
    """What one message of a source says.

    points: obstacles, shape (n, 2), base frame; none means free. problem: why the message cannot
    be used, empty where it can.
    """

    points: Array
    problem: str = ""

    @staticmethod
    def unusable(problem: str) -> Reading:
        """A message that says nothing of obstacles."""
        return Reading(np.empty((0, 2)), problem)


@dataclass(frozen=True)
class Finding:
    """A demand, or a warning: of which zone or source, what was found and what is accepted.

    m for a distance, s for a time to collision or an age, m/s (rad/s for a pure turn) for a speed.
    """

    name: str
    value: float
    bound: float


@dataclass(frozen=True)
class InvalidSource:
    """A source that counts as an obstacle, and why in plain words. age: s; None: never heard."""

    name: str
    reason: str
    age: float | None


@dataclass(frozen=True)
class BaseBoundary:
    """x * dx + y * dy + w * dtheta of the way until rest (m, m, rad) may be at most `remaining`.

    remaining: m; below 0 where the base is already too near.
    """

    x: float
    y: float
    w: float
    remaining: float
    name: str = MINIMUM_DISTANCE


@dataclass(frozen=True)
class ObstacleVerdict:
    """What obstacles let the base do in this period.

    action: the most restrictive demand; STOP means to brake with the emergency limits.
    name: of the zone, MINIMUM_DISTANCE, or "invalid source NAME"; empty without an action.
    ratio: share of the commanded velocity that may be driven on, 0 to 1.
    cause: why it stops, in plain words; clears_when: what would end that. Both empty otherwise.
    violations: every demand, the most restrictive first. warnings: too near for comfort.
    distance: of the nearest obstacle from the footprint, m; None: there is none.
    time_to_collision: s; None: no collision ahead, or no approach zone looks for one.
    boundaries: for the limiter, which brakes in time for them.
    """

    action: Action = Action.NONE
    name: str = ""
    ratio: float = 1.0
    cause: str = ""
    clears_when: str = ""
    violations: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    invalid_sources: tuple[InvalidSource, ...] = ()
    distance: float | None = None
    time_to_collision: float | None = None
    boundaries: tuple[BaseBoundary, ...] = ()

    @property
    def stop(self) -> bool:
        """Brake with the emergency limits."""
        return self.action is Action.STOP
