"""The way back to a start pose, as one more request that passes every limit. Free of ROS.

Joint positions go there together, on a straight line in joint space; an end effector whose
velocity is commanded and whose position is measured goes on a straight line in space, and keeps
its orientation. The speed is a share of the velocity limits; path speed, limiter, the arm's shape
and obstacles are behind it. It ends at the pose, or with the reason why it does not get there.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace, Kind
from vla_contract.node.parameters import ParameterError
from vla_contract.stamps import NANOSECONDS
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import LimitViolation
from vla_safety.plan.path_follower import Motion, PathFollower
from vla_safety.surroundings.measured_pose import RobotKind, robot_kind
from vla_safety.surroundings.workspace import linear_axes

# s without coming nearer after which the way is taken to be blocked.
_BLOCKED = 2.0
# Share of the deceleration that the arrival is planned with.
_ARRIVING = 0.5


class HomeState(enum.IntEnum):
    """SafetyStatus.HOME_*."""

    NONE = 0
    MOVING = 1
    REACHED = 2
    FAILED = 3


@dataclass(frozen=True)
class Place:
    """What is known of the robot in a period.

    values: the present command, SI, shape (width,). resting: where each dimension comes to rest
    soonest. at_rest: the last command was. measured: dimension → position. position: of the end
    effector, m, in the frame of the velocities; None where it is not known.
    """

    values: Sequence[float]
    resting: Sequence[float]
    at_rest: bool
    measured: Mapping[str, float]
    position: Sequence[float] | None


def read_pose(texts: Sequence[str], space: ActionSpace) -> dict[int, float]:
    """Dimension → place, from "name=value" of each; of a linear velocity the position on its axis.

    Raises:
        ParameterError: what is no such text, or names no dimension that has a place.
    """
    places = [
        i
        for i, d in enumerate(space.dimensions)
        if not (d.kind.is_velocity or d.kind is Kind.END_EFFECTOR_ORIENTATION)
        or (d.kind is Kind.LINEAR_VELOCITY and robot_kind(space) is RobotKind.ARM)
    ]
    names = [space.dimensions[i].name for i in places]
    found: dict[int, float] = {}
    for text in texts:
        name, _, number = (part.strip() for part in text.partition("="))
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if name not in names or not math.isfinite(value) or places[names.index(name)] in found:
            raise ParameterError(
                f"parameter home_pose has {text!r}; accepted: each once, NAME=VALUE of "
                f"{', '.join(names) or 'nothing, as no dimension has a place'}"
            )
        index = places[names.index(name)]
        dimension = space.dimensions[index]
        if not dimension.kind.is_velocity and not dimension.low <= value <= dimension.high:
            raise ParameterError(
                f"parameter home_pose has {text!r}; accepted of {name}: "
                f"{dimension.low} to {dimension.high}"
            )
        found[index] = value
    return found


class HomeMotion:
    """Times are ns of a clock that never jumps.

    state: of the last way. message: how it ended, in words.
    """

    def __init__(self, space: ActionSpace, config: SafetyConfig, path: PathFollower) -> None:
        """Raises ParameterError: see `read_pose`."""
        self._space = space
        self._path = path
        self._goal = read_pose(config.home_pose, space)
        self._axes = [(i, k) for i, k in linear_axes(space) if i in self._goal]
        self.state = HomeState.NONE
        self.message = ""
        self._begin = self._nearer = 0
        self._start: list[float] | None = None
        self._gone = 0.0  # share of the way of the positions, 0 to 1
        self._left = math.inf  # the least so far, of whatever is left of the way

    @property
    def active(self) -> bool:
        """It is on its way."""
        return self.state is HomeState.MOVING

    @property
    def configured(self) -> bool:
        """There is a start pose."""
        return bool(self._goal)

    def start(self, steady: int) -> None:
        """Set out, from rest."""
        self.state, self.message = HomeState.MOVING, "moving to the start pose"
        self._begin = self._nearer = steady
        self._start, self._gone, self._left = None, 0.0, math.inf

    def fail(self, why: str) -> None:
        """It does not get there."""
        if self.active:
            self.state, self.message = HomeState.FAILED, f"not at the start pose: {why}"

    def motion(self, place: Place, config: SafetyConfig, steady: int) -> Motion | None:
        """What to ask for in this period; None: to brake, before it sets out or at its end."""
        if self._start is None:
            if not place.at_rest:
                return None
            self._start = list(place.values)
            self._path.speed.restart(0.0)
        if (steady - self._begin) / NANOSECONDS > config.home_timeout:
            self.fail(f"it took over {config.home_timeout:g} s")
            return None
        row, rates = list(place.resting), [0.0] * self._space.width
        left = self._add_positions(row, rates, config.home_speed)
        if self._axes and place.position is None:
            self.fail("the position of the end effector is not known")
            return None
        if self._axes and place.position is not None:
            left = max(left, self._add_velocities(row, rates, place.position, config))
        self._judge(left, place, config, steady)
        return Motion(row, rates) if self.active else None

    def observe_blocked(self, violations: Sequence[LimitViolation], steady: int) -> None:
        """Tell what limited this period; fail where it has been so for long."""
        if self.active and self._start is not None:
            if steady - self._nearer > round(_BLOCKED * NANOSECONDS):
                names = [v.name or v.limit.words for v in violations]
                self.fail(f"blocked by {names[0]}" if names else "it comes no nearer")

    def _add_positions(self, row: list[float], rates: list[float], share: float) -> float:
        """Put the positions of this period into a row; the share of their way that is left."""
        assert self._start is not None
        ways = {
            i: goal - self._start[i]
            for i, goal in self._goal.items()
            if not self._space.dimensions[i].kind.is_velocity
        }
        fastest = max(
            (abs(way) / self._space.dimensions[i].normal.velocity for i, way in ways.items()),
            default=0.0,
        )
        if fastest <= 0.0:
            return 0.0
        rate = share / fastest  # of the way per s, at full speed
        ahead = self._path.speed.value * rate * self._space.period
        full = [way * rate for way in ways.values()]
        braking = min(
            self._space.dimensions[i].normal.deceleration / abs(speed) if speed else math.inf
            for i, speed in zip(ways, full, strict=True)
        )
        slow = math.sqrt(max(0.0, 2.0 * _ARRIVING * braking * (1.0 - self._gone) / rate))
        self._gone = min(1.0, self._gone + min(ahead, rate * slow * self._space.period))
        if 1.0 - self._gone < ahead * 1e-3:
            self._gone = 1.0
        for (i, way), speed in zip(ways.items(), full, strict=True):
            row[i] = self._start[i] + way * self._gone
            if self._space.dimensions[i].kind is not Kind.GRIPPER:
                rates[i] = speed * min(1.0, slow) if self._gone < 1.0 else 0.0
        return 1.0 - self._gone

    def _add_velocities(
        self,
        row: list[float],
        rates: list[float],
        position: Sequence[float],
        config: SafetyConfig,
    ) -> float:
        """Put the velocities towards the place into a row; the distance that is left, m."""
        ways = {i: self._goal[i] - position[k] for i, k in self._axes}
        distance = math.hypot(*ways.values())
        if distance <= 0.5 * config.home_tolerance:
            return 0.0
        limits = [self._space.dimensions[i].normal for i in ways]
        speed = min(
            config.home_speed * min(one.velocity for one in limits),
            math.sqrt(2.0 * _ARRIVING * min(one.deceleration for one in limits) * distance),
            distance / (10.0 * self._space.period),
        )
        for i, way in ways.items():
            row[i] = rates[i] = way / distance * speed
        return distance

    def _judge(self, left: float, place: Place, config: SafetyConfig, steady: int) -> None:
        """Whether it has arrived, and since when it comes no nearer."""
        if left < self._left - 1e-4:
            self._left, self._nearer = left, steady
        if left > 0.0 or not place.at_rest:
            return
        off = self._deviation(place)
        if off <= config.home_tolerance:
            self.state, self.message = HomeState.REACHED, "at the start pose"
        elif steady - self._nearer > round(_BLOCKED * NANOSECONDS):
            self.fail(f"the robot is {off:.3f} off what it was commanded")

    def _deviation(self, place: Place) -> float:
        """Greatest difference of what is measured and the pose, rad or m; grippers may hold."""
        found = [0.0]
        for i, goal in self._goal.items():
            dimension = self._space.dimensions[i]
            if dimension.kind is not Kind.GRIPPER and not dimension.kind.is_velocity:
                found.append(abs(place.measured.get(dimension.name, goal) - goal))
        return max(found)
