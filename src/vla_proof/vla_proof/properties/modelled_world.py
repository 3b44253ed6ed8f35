"""Where a robot is that does just what it is told, and the box that it must stay in. ROS-free."""

from __future__ import annotations

from collections.abc import Sequence

from vla_contract.action_space import ActionSpace
from vla_proof.properties.checked_bounds import Bounds
from vla_safety.surroundings.measured_pose import Pose

_AXES = ("linear.x", "linear.y", "linear.z")
Box = tuple[tuple[float, ...], tuple[float, ...]]


class World:
    """Integrates the linear velocities of the commands from the middle of the box on, m."""

    def __init__(self, space: ActionSpace, box: Box | None) -> None:
        """box: lower and upper corner of the workspace; None where there is none."""
        self._period = space.period
        self._box = box
        low, high = box or ((-1.0,) * 3, (1.0,) * 3)
        self._middle = [0.5 * (a + b) for a, b in zip(low, high, strict=True)]
        self._position = list(self._middle)
        self._judged = True
        self._axes = [
            (i, _AXES.index(dimension.output.field[-8:]))
            for i, dimension in enumerate(space.dimensions)
            if dimension.output.field[-8:] in _AXES
        ]

    def pose(self) -> Pose:
        """Where it is, unturned."""
        x, y, z = self._position
        return Pose((x, y, z), (0.0, 0.0, 0.0, 1.0), "base_link")

    def restarted(self, start: Sequence[float]) -> None:
        """The motion begins with these values. In motion the box may be too near to stop in."""
        self._judged = self._judged and not any(start[i] for i, _ in self._axes)

    def move(self, values: Sequence[float], bounds: Bounds) -> None:
        """A period passes with these commands; the robot must still be in its box."""
        for i, axis in self._axes:
            self._position[axis] += float(values[i]) * self._period
        if not self._judged and not any(values[i] for i, _ in self._axes):
            self._position, self._judged = list(self._middle), True
        if self._box is None or not self._judged:
            return
        low, high = self._box
        for k, place in enumerate(self._position):
            middle, half = 0.5 * (low[k] + high[k]), 0.5 * (high[k] - low[k])
            bounds.check("workspace", _AXES[k], place - middle, half, 1e-9)


class JointWorld:
    """Integrates the velocities of joints that have ends, rad or m; they must stay between them."""

    def __init__(self, space: ActionSpace) -> None:
        self._period = space.period
        self._ranges = space.joint_ranges
        # Of outputs that name no joint, as those of these spaces.
        self._names = [space.dimensions[i].name for i, *_ in self._ranges]
        self._places = [0.5 * (low + high) for _, low, high in self._ranges]
        self._judged = True

    def positions(self) -> dict[str, float]:
        """By joint."""
        return dict(zip(self._names, self._places, strict=True))

    def restarted(self, start: Sequence[float]) -> None:
        """The motion begins with these values. In motion an end may be too near to stop at."""
        self._judged = self._judged and not any(start[i] for i, *_ in self._ranges)

    def move(self, values: Sequence[float], bounds: Bounds) -> None:
        """A period passes with these commands."""
        moving = any(values[i] for i, *_ in self._ranges)
        if not self._judged and not moving:
            self._places = [0.5 * (low + high) for _, low, high in self._ranges]
            self._judged = True
        for k, (i, low, high) in enumerate(self._ranges):
            self._places[k] += float(values[i]) * self._period
            if self._judged:
                off = self._places[k] - 0.5 * (low + high)
                bounds.check("joint range", self._names[k], off, 0.5 * (high - low), 1e-9)
