"""nav2_collision_monitor without ROS: shapes, their models, and the most restrictive action.

Velocities are (x, y, theta): m/s, m/s, rad/s. Poses likewise, in m and rad. Points are (x, y) in
the base's frame.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vla_proof.peers.nav2_sources import Source

Point = tuple[float, float]
Velocity = tuple[float, float, float]
INVALID_SOURCE = "invalid source"


class ActionType(enum.Enum):
    """As in nav2's types.hpp."""

    DO_NOTHING = 0
    STOP = 1
    SLOWDOWN = 2
    APPROACH = 3
    LIMIT = 4


def transform_points(pose: Velocity, points: Sequence[Point]) -> list[Point]:
    """kinematics.cpp: points as seen from a pose."""
    cos, sin = math.cos(pose[2]), math.sin(pose[2])
    moved = []
    for x, y in points:
        dx, dy = x - pose[0], y - pose[1]
        moved.append((dx * cos + dy * sin, -dx * sin + dy * cos))
    return moved


def project_state(dt: float, pose: Velocity, velocity: Velocity) -> tuple[Velocity, Velocity]:
    """kinematics.cpp: pose and velocity after a step in which the velocity is constant."""
    theta = velocity[2] * dt
    cos, sin = math.cos(theta), math.sin(theta)
    x, y, tw = velocity
    return (
        (pose[0] + x * dt, pose[1] + y * dt, pose[2] + theta),
        (x * cos - y * sin, x * sin + y * cos, tw),
    )


@dataclass
class Shape:
    """What polygon and circle have in common; defaults as in nav2.

    sources: names of those whose points count; None: all.
    """

    name: str
    action: ActionType
    min_points: int = 4
    slowdown_ratio: float = 0.5
    linear_limit: float = 0.5
    angular_limit: float = 0.5
    time_before_collision: float = 2.0
    simulation_time_step: float = 0.1
    enabled: bool = True
    sources: tuple[str, ...] | None = None
    trigger_consecutive: int = 1
    release_consecutive: int = 1
    _hits: int = field(default=0, init=False)
    _misses: int = field(default=0, init=False)
    _active: bool = field(default=False, init=False)

    def contains(self, point: Point) -> bool:
        """The point is inside."""
        raise NotImplementedError

    def update(self, velocity: Velocity) -> None:
        """updatePolygon: only velocity polygons change."""

    def points_inside(self, points: Sequence[Point]) -> int:
        """How many of the points are inside: getPointsInside."""
        return sum(map(self.contains, points))

    def is_triggered(self, points: Sequence[Point]) -> bool:
        """isTriggered: enough points inside, often enough in a row."""
        if self.points_inside(points) >= self.min_points:
            self._hits, self._misses = self._hits + 1, 0
            if self._hits >= self.trigger_consecutive:
                self._active = True
        else:
            self._hits, self._misses = 0, self._misses + 1
            if self._misses >= self.release_consecutive:
                self._active = False
        return self._active

    def collision_time(self, points: Sequence[Point], velocity: Velocity) -> float:
        """getCollisionTime: s; below 0 where there is none."""
        if self.points_inside(points) >= self.min_points:
            return 0.0
        pose: Velocity = (0.0, 0.0, 0.0)
        time = 0.0
        while time <= self.time_before_collision:
            pose, velocity = project_state(self.simulation_time_step, pose, velocity)
            if self.points_inside(transform_points(pose, points)) >= self.min_points:
                return time
            time += self.simulation_time_step
        return -1.0


@dataclass
class Polygon(Shape):
    """A polygon."""

    vertices: Sequence[Point] = ()

    def contains(self, point: Point) -> bool:
        """Ray crossing, as nav2_util's isPointInsidePolygon."""
        px, py = point
        inside = False
        before = self.vertices[-1]
        for vertex in self.vertices:
            if (py <= before[1]) == (py > vertex[1]):
                slope = (vertex[0] - before[0]) / (vertex[1] - before[1])
                if before[0] + (py - before[1]) * slope > px:
                    inside = not inside
            before = vertex
        return inside


@dataclass
class Circle(Shape):
    """A circle about the base's origin."""

    radius: float = 0.0

    def contains(self, point: Point) -> bool:
        """Nearer than the radius."""
        return point[0] ** 2 + point[1] ** 2 < self.radius**2


@dataclass(frozen=True)
class SubPolygon:
    """A polygon for a range of velocities: linear x (m/s) and theta (rad/s)."""

    vertices: Sequence[Point]
    linear_min: float
    linear_max: float
    theta_min: float
    theta_max: float
    direction_start_angle: float = -math.pi
    direction_end_angle: float = math.pi


@dataclass
class VelocityPolygon(Polygon):
    """A polygon chosen by the commanded velocity."""

    parts: Sequence[SubPolygon] = ()
    holonomic: bool = False

    def update(self, velocity: Velocity) -> None:
        """Take the first part whose range holds the velocity; without any, keep the last."""
        for part in self.parts:
            if self._in_range(velocity, part):
                self.vertices = part.vertices
                return

    def _in_range(self, velocity: Velocity, part: SubPolygon) -> bool:
        x, y, tw = velocity
        if not part.theta_min <= tw <= part.theta_max:
            return False
        if not self.holonomic:
            return part.linear_min <= x <= part.linear_max
        speed = math.hypot(x, y)
        direction = math.atan2(y, x) if speed > 0.0 else 0.0
        start, end = part.direction_start_angle, part.direction_end_angle
        if start <= end:
            faces = start <= direction <= end
        else:
            faces = direction >= start or direction <= end
        return part.linear_min <= speed <= part.linear_max and faces


@dataclass(frozen=True)
class RobotAction:
    """What the monitor does with a command."""

    action: ActionType
    velocity: Velocity
    polygon: str = ""


class CollisionMonitor:
    """CollisionMonitor::process without topics."""

    def __init__(self, shapes: Sequence[Shape], sources: Mapping[str, Source]) -> None:
        self.shapes = shapes
        self.sources = sources

    def process(self, now: float, command: Velocity) -> RobotAction | None:
        """The action for a command; None for one with NaN or Inf, which is ignored."""
        if not all(map(math.isfinite, command)):
            return None
        action = RobotAction(ActionType.DO_NOTHING, command)
        seen: dict[str, list[Point]] = {}
        for name, source in self.sources.items():
            points = source.points(now) if source.enabled else []
            if points is None and source.timeout != 0.0:
                action = RobotAction(ActionType.STOP, (0.0, 0.0, 0.0), INVALID_SOURCE)
                break
            seen[name] = points or []
        for shape in self.shapes:
            if not shape.enabled:
                continue
            if action.action is ActionType.STOP:
                break
            shape.update(command)
            found = _demand(shape, _of_sources(shape, seen), command)
            if found is not None and (
                found.action is ActionType.STOP
                or _square(found.velocity) < _square(action.velocity)
            ):
                action = found
        return action


def _of_sources(shape: Shape, seen: Mapping[str, list[Point]]) -> list[Point]:
    names = seen if shape.sources is None else [n for n in shape.sources if n in seen]
    return [point for name in names for point in seen[name]]


def _demand(shape: Shape, points: Sequence[Point], command: Velocity) -> RobotAction | None:
    """What one shape asks for: processStopSlowdownLimit, processApproach."""
    if shape.action is ActionType.APPROACH:
        time = shape.collision_time(points, command)
        ratio = time / shape.time_before_collision
        return RobotAction(shape.action, _scaled(command, ratio), shape.name) if time >= 0 else None
    if not shape.is_triggered(points):
        return None
    ratio = 0.0
    if shape.action is ActionType.SLOWDOWN:
        ratio = shape.slowdown_ratio
    elif shape.action is ActionType.LIMIT:
        ratio = 1.0
        linear = math.hypot(command[0], command[1])
        if linear != 0.0:
            ratio = min(ratio, shape.linear_limit / linear)
        if command[2] != 0.0:
            ratio = min(ratio, shape.angular_limit / abs(command[2]))
        ratio = min(max(ratio, 0.0), 1.0)
    return RobotAction(shape.action, _scaled(command, ratio), shape.name)


def _scaled(velocity: Velocity, ratio: float) -> Velocity:
    return (velocity[0] * ratio, velocity[1] * ratio, velocity[2] * ratio)


def _square(velocity: Velocity) -> float:
    return sum(value * value for value in velocity)
