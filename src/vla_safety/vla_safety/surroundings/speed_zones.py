"""Places where the robot may only be slow. Free of ROS.

The cap falls with the distance to the zone early enough that a robot that follows it is slow
when it enters, whichever way it drives: nearness counts, not direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace, Limits
from vla_safety.limits.axes import Limit
from vla_safety.limits.norms import SpeedCap

Point = tuple[float, float]


@dataclass(frozen=True)
class SpeedZone:
    """A convex polygon in the frame of the odometry or the map, and the greatest speed in it.

    polygon: corners in order, either way round, m. maximum: m/s; 0 is a place not to enter.

    Raises:
        ValueError: fewer than three corners, not convex, not finite, or a negative speed.
    """

    name: str
    polygon: tuple[Point, ...]
    maximum: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.maximum) and self.maximum >= 0.0):
            raise ValueError(
                f"maximum of speed zone {self.name} is {self.maximum!r}; accepted: at least 0 m/s"
            )
        if not _is_convex(self.polygon):
            raise ValueError(
                f"polygon of speed zone {self.name} is {list(self.polygon)}; accepted: at least "
                "three corners of a convex polygon, in order"
            )

    @staticmethod
    def box(name: str, low: Point, high: Point, maximum: float) -> SpeedZone:
        """A rectangle along the axes."""
        corners = (low, (high[0], low[1]), high, (low[0], high[1]))
        return SpeedZone(name, corners, maximum)

    def distance(self, x: float, y: float) -> float:
        """From a point to the zone, m; 0 inside. NaN counts as inside."""
        least, outside = math.inf, False
        turn = _turn(*self.polygon[:3])
        for a, b in zip(self.polygon, (*self.polygon[1:], self.polygon[0]), strict=True):
            outside = outside or _turn(a, b, (x, y)) * turn < 0.0
            least = min(least, _distance_to_edge(a, b, x, y))
        return least if outside else 0.0


def speed_cap(
    zones: Sequence[SpeedZone],
    position: Sequence[float],
    limits: Limits,
    *,
    speed: float = 0.0,
    latency: float = 0.0,
    reaction: float = 0.0,
) -> SpeedCap | None:
    """The strictest cap of the zones at a position, or None where none is near enough to matter.

    position: x, y (more is ignored), m, in the zones' frame. limits: that the linear velocities
    slow down within; see `slowing`. speed: the present one, m/s. latency: age of the position, s.
    reaction: s that a cap takes to act: the control period, at least.
    """
    strictest: SpeedCap | None = None
    for zone in zones:
        distance = zone.distance(position[0], position[1]) - speed * latency
        value = approach_speed(zone.maximum, distance, limits, reaction)
        if value < limits.velocity and (strictest is None or value < strictest.value):
            strictest = SpeedCap(value, Limit.SPEED_ZONE, zone.name)
    return strictest


def approach_speed(maximum: float, distance: float, limits: Limits, reaction: float) -> float:
    """Speed at which `maximum` is still reached within `distance`, m/s.

    Half of the deceleration is planned with: a command that follows a falling cap lags behind
    it by the time that its deceleration takes to build up, and then catches up with the rest.
    """
    lag = reaction + limits.deceleration / limits.jerk
    deceleration = 0.5 * limits.deceleration
    # v^2 - maximum^2 = 2 a (distance - v lag), solved for v.
    free = distance - maximum * lag
    if not free > 0.0:
        return maximum
    half = deceleration * lag
    square = half * half + maximum * maximum + 2.0 * deceleration * distance
    return max(maximum, math.sqrt(square) - half)


def slowing(space: ActionSpace) -> Limits:
    """The least of the limits of the linear velocities; velocity: the norm that they reach."""
    used = [space.dimensions[i].normal for i in space.linear_indices]
    if not used:
        raise ValueError(
            f"action space {space.name} has no linear velocity; accepted: at least one"
        )
    return Limits(
        math.sqrt(sum(limits.velocity**2 for limits in used)),
        min(limits.acceleration for limits in used),
        min(limits.jerk for limits in used),
        min(limits.deceleration for limits in used),
    )


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _is_convex(polygon: Sequence[Point]) -> bool:
    if len(polygon) < 3 or not all(math.isfinite(v) for point in polygon for v in point):
        return False
    turns = [_turn(polygon[i - 2], polygon[i - 1], c) for i, c in enumerate(polygon)]
    # A star turns the same way everywhere, and more than once round.
    around = sum(
        (polygon[i - 1][0] - polygon[i - 2][0] < 0.0) != (c[0] - polygon[i - 1][0] < 0.0)
        for i, c in enumerate(polygon)
    )
    return around <= 2 and (all(t > 0.0 for t in turns) or all(t < 0.0 for t in turns))


def _distance_to_edge(a: Point, b: Point, x: float, y: float) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    share = ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy)
    share = min(max(share, 0.0), 1.0)
    return math.hypot(x - a[0] - share * dx, y - a[1] - share * dy)
