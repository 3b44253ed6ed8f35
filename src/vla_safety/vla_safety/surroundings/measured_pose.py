"""Where the robot is: workspace and speed zones at a measured pose. Free of ROS.

What needs a pose and has none, or an old one, holds and names it. An end effector without a
workspace holds too, unless that is allowed. Times are ns of a clock that never jumps.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace, Kind
from vla_contract.frames import frame_name
from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_contract.stamps import NANOSECONDS
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Boundary, SpeedCap
from vla_safety.surroundings.speed_zones import SpeedZone, slowing, speed_cap
from vla_safety.surroundings.workspace import (
    IDENTITY,
    Rotation,
    Workspace,
    linear_axes,
    quaternion_rotation,
)
from vla_safety.watch.safety_states import Cause, FaultKind, Reason, Severity

# Over this time a pose's change gives its velocity.
_RATE_WINDOW = 100_000_000
TF = "tf"  # as a position_source
_PLANAR = ("linear.x", "linear.y", "angular.z")


class RobotKind(enum.Enum):
    """What the velocities of an action space move."""

    ARM = "end effector"
    BASE = "base"
    NEITHER = "neither"


def robot_kind(space: ActionSpace) -> RobotKind:
    """A base has planar velocities alone; other linear velocities are an end effector's."""
    moving = (Kind.LINEAR_VELOCITY, Kind.ANGULAR_VELOCITY)
    velocities = [d for d in space.dimensions if d.kind in moving]
    fields = {".".join(d.output.field.split(".")[-2:]) for d in velocities}
    gripper = any(d.kind is Kind.GRIPPER for d in space.dimensions)
    if velocities and not gripper and fields <= set(_PLANAR):
        return RobotKind.BASE
    return RobotKind.ARM if linear_axes(space) else RobotKind.NEITHER


@dataclass(frozen=True)
class SpeedZoneConfig(Config):
    """Parameters of one speed zone, declared as `<zone>.<name>`."""

    points: tuple[float, ...] = parameter(
        (0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0),
        "Convex polygon x1, y1, x2, y2, ... in workspace_frame.",
        "m",
    )
    maximum: float = parameter(0.1, "Greatest speed in it.", "m/s", minimum=0.0)

    def zone(self, name: str) -> SpeedZone:
        """The zone; raises ParameterError."""
        corners = tuple(zip(self.points[::2], self.points[1::2]))  # noqa: B905
        try:
            return SpeedZone(name, corners, self.maximum)
        except ValueError as error:
            raise ParameterError(f"{name}: {error}") from error


@dataclass(frozen=True)
class Pose:
    """Position, m, and orientation (x, y, z, w) in a frame."""

    position: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]
    frame: str


class MeasuredPose:
    """Tell it the pose; it says what may be done there."""

    def __init__(
        self, space: ActionSpace, config: SafetyConfig, zones: Sequence[SpeedZone] = ()
    ) -> None:
        self.kind = robot_kind(space)
        self.source = _source(config, self.kind)
        self._space = space
        self._zones = tuple(zones)
        self._axes = linear_axes(space)
        box = config.box
        self._workspace = Workspace(*box, config.workspace_frame) if box else None  # type: ignore[arg-type]
        self._frame = frame_name(config.workspace_frame)
        self._slowing = slowing(space) if self._zones else None
        # Velocities given in another frame are given in that of the tip itself.
        self._in_frame = all(
            space.dimensions[i].frame == config.workspace_frame for i, _ in self._axes
        )
        self._required = config.workspace_required
        self._pose: Pose | None = None
        self._seen = 0
        self._track: deque[tuple[int, tuple[float, float, float]]] = deque()
        # Time and speed of commands since the pose, each slower than the ones before it.
        self._speeds: deque[tuple[int, float]] = deque()

    @property
    def needed(self) -> bool:
        """Something depends on the pose."""
        return self._workspace is not None or bool(self._zones)

    @property
    def position(self) -> tuple[float, float, float] | None:
        """The last one, m; None before the first."""
        return self._pose.position if self._pose else None

    def position_to_move_by(
        self, config: SafetyConfig, steady: int
    ) -> tuple[float, float, float] | None:
        """The last one, m, where it is fresh and the velocities are in its frame; else None."""
        fresh = steady - self._seen <= round(config.input_timeout * NANOSECONDS)
        return self.position if fresh and self._in_frame else None

    def problem(self, pose: Pose) -> str:
        """Why a pose cannot be used here; empty where it can."""
        if self.needed and frame_name(pose.frame) not in ("", self._frame):
            return (
                f"{self.source} is in frame {pose.frame[:60]!r}; accepted: workspace_frame, "
                f"{self._frame!r}"
            )
        return ""

    def update_pose(self, pose: Pose, steady: int) -> None:
        """The pose that `source` gave."""
        self._pose, self._seen = pose, steady
        self._track.append((steady, pose.position))
        while len(self._track) > 2 and self._track[1][0] <= steady - _RATE_WINDOW:
            self._track.popleft()

    def forget(self) -> None:
        """The robot was put elsewhere, or the clock jumped."""
        self._track.clear()

    def rates(self) -> dict[str, float]:
        """Velocity of each linear dimension as the pose's change shows it, m/s."""
        if len(self._track) < 2 or not self._in_frame or self.kind is not RobotKind.ARM:
            return {}
        (t0, p0), (t1, p1) = self._track[0], self._track[-1]
        if t1 - t0 < _RATE_WINDOW // 2:
            return {}
        seconds = (t1 - t0) / NANOSECONDS
        return {self._space.dimensions[i].name: (p1[k] - p0[k]) / seconds for i, k in self._axes}

    def causes(self, config: SafetyConfig, steady: int) -> Iterator[Cause]:
        """A workspace that is not configured, a pose that is missing or old."""
        if self.kind is RobotKind.ARM and self._workspace is None and self._required:
            yield Cause(
                Reason.CONFIGURATION,
                Severity.HOLD,
                "no workspace is configured for the end effector",
                "parameters workspace_low and workspace_high are set (or workspace_required is "
                "false)",
                True,
            )
        if not self.needed:
            return
        timeout = config.input_timeout
        if self._pose is None:
            text = f"the position is not known: {self.source} was never received"
        elif steady - self._seen > round(timeout * NANOSECONDS):
            text = f"the position is not known: {self.source} is older than {timeout:g} s"
        else:
            return
        clears = f"{self.source} is received"
        yield Cause(Reason.INPUT, Severity.HOLD, text, clears, True, FaultKind.ROBOT_STATE)

    def boundaries(self, values: Sequence[float], steady: int) -> tuple[Boundary, ...]:
        """Faces of the workspace as the limiter takes them; values: the present command, SI."""
        if self._workspace is None or self._pose is None:
            return ()
        turn = max(
            (abs(values[i]) for i in self._space.angular_indices), default=0.0
        ) * self._space.braking_time  # fmt: skip
        return self._workspace.boundaries(
            self._pose.position,
            self._space,
            IDENTITY if self._in_frame else self._rotation(),
            speed=self._fastest(values, steady),
            latency=self._age(steady),
            turn=0.0 if self._in_frame else turn,
        )

    def cap(self, values: Sequence[float], steady: int) -> SpeedCap | None:
        """What the speed zones allow here."""
        if not self._zones or self._pose is None or self._slowing is None:
            return None
        return speed_cap(
            self._zones,
            self._pose.position,
            self._slowing,
            speed=self._fastest(values, steady),
            latency=self._age(steady),
            reaction=self._space.period,
        )

    def _rotation(self) -> Rotation:
        assert self._pose is not None
        return quaternion_rotation(*self._pose.quaternion)

    def _fastest(self, values: Sequence[float], steady: int) -> float:
        """Greatest speed since the pose was measured, m/s: one that brakes was faster before."""
        speed = math.sqrt(sum(values[i] ** 2 for i in self._space.linear_indices))
        speeds = self._speeds
        while speeds and speeds[-1][1] <= speed:
            speeds.pop()
        speeds.append((steady, speed))
        while speeds and speeds[0][0] <= self._seen:
            speeds.popleft()
        return speeds[0][1] if speeds else speed

    def _age(self, steady: int) -> float:
        return max(0, steady - self._seen) / NANOSECONDS


def _source(config: SafetyConfig, kind: RobotKind) -> str:
    if config.position_source != "auto":
        return config.position_source
    return "odom" if kind is RobotKind.BASE else "end_effector_pose"
