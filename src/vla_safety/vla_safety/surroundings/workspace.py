"""Where the end effector or the base may be, and how fast where. Free of ROS.

A `Workspace` becomes one `Boundary` per face and measured position; a `SpeedZone` a `SpeedCap`.
Without a position there is neither: the caller holds.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace
from vla_safety.limits.axes import Limit
from vla_safety.limits.boundaries import Boundary

# Of three; not said so, that the compiled module too tells a wrong number in its own words.
Vector = tuple[float, ...]
Rotation = tuple[Vector, Vector, Vector]

IDENTITY: Rotation = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_NAMES = ("x", "y", "z")


def yaw_rotation(yaw: float) -> Rotation:
    """From a body frame that is turned about z by `yaw`, rad, into the fixed frame."""
    c, s = math.cos(yaw), math.sin(yaw)
    return (c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)


def quaternion_rotation(x: float, y: float, z: float, w: float) -> Rotation:
    """From a frame of this orientation into the one it is given in.

    Of length 0 or not finite it is NaN throughout, of which every boundary lets nothing pass.
    """
    square = x * x + y * y + z * z + w * w
    s = 2.0 / square if math.isfinite(square) and square > 0.0 else math.nan
    return (
        (1.0 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)),
        (s * (x * y + z * w), 1.0 - s * (x * x + z * z), s * (y * z - x * w)),
        (s * (x * z - y * w), s * (y * z + x * w), 1.0 - s * (x * x + y * y)),
    )


def linear_axes(space: ActionSpace) -> tuple[tuple[int, int], ...]:
    """Dimension and axis (0 x, 1 y, 2 z) of each linear velocity that goes to a Twist."""
    return space.linear_axes


@dataclass(frozen=True)
class Workspace:
    """A box, aligned with `frame`, that a position must stay in.

    low, high: corners, m. -inf and inf leave a side open, as z of a base does.

    Raises:
        ValueError: a corner is NaN, or low is not below high.
    """

    low: Vector
    high: Vector
    frame: str

    def __post_init__(self) -> None:
        if len(self.low) != 3 or len(self.high) != 3:
            raise ValueError(f"workspace is {self.low} to {self.high}; accepted: x, y, z each")
        for name, low, high in zip(_NAMES, self.low, self.high, strict=True):
            if not low < high:
                raise ValueError(
                    f"workspace in {name} is [{low}, {high}]; accepted: the lower one first"
                )

    def boundaries(
        self,
        position: Sequence[float],
        space: ActionSpace,
        rotation: Rotation = IDENTITY,
        *,
        speed: float = 0.0,
        latency: float = 0.0,
        turn: float = 0.0,
    ) -> tuple[Boundary, ...]:
        """One boundary per closed face.

        position: measured, m, in `frame`. rotation: from the frame of the linear velocities into
        `frame`. speed, latency: the greatest speed since the position was measured, m/s, and how
        long ago that was, s: the robot may be further by their product. turn: angle by which the
        command frame may still turn until rest, rad.
        """
        uncertain = speed * latency
        low, high = self.low, self.high
        found = []
        for k, up, name, coefficients in _faces(
            low, high, space.width, space.linear_axes, rotation, turn
        ):
            remaining = high[k] - position[k] if up else position[k] - low[k]
            found.append(Boundary(coefficients, remaining - uncertain, Limit.WORKSPACE, name))
        return tuple(found)


# The same from one period to the next where nothing turns.
@functools.lru_cache(maxsize=16)
def _faces(
    low: Vector,
    high: Vector,
    width: int,
    axes: tuple[tuple[int, int], ...],
    rotation: Rotation,
    turn: float,
) -> tuple[tuple[int, bool, str, tuple[float, ...]], ...]:
    """Axis, side, name and coefficients of every boundary of the closed faces."""
    faces = []
    for k, up in itertools.product(range(3), (False, True)):
        if math.isinf(high[k] if up else low[k]):
            continue
        sign = 1.0 if up else -1.0
        x, y, z = (sign * c for c in rotation[k])
        # How much a unit along each axis of the command frame leads outwards.
        ranges = (_turned(x, y, turn), _turned(y, -x, turn), (z,))
        name = f"{_NAMES[k]} {'high' if up else 'low'}"
        for outwards in itertools.product(*(ranges[axis] for _, axis in axes)):
            coefficients = [0.0] * width
            for (index, _), outward in zip(axes, outwards, strict=True):
                coefficients[index] = outward
            faces.append((k, up, name, tuple(coefficients)))
    return tuple(faces)


def _turned(along: float, across: float, turn: float) -> tuple[float, ...]:
    """Least and greatest of a component, when its axis turns about z by up to `turn` each way.

    along, across: the component now, and that after a quarter turn.
    """
    if turn == 0.0:
        return (along,)
    size, angle = math.hypot(along, across), math.atan2(across, along)
    greatest = size * math.cos(max(abs(angle) - turn, 0.0))
    least = size * math.cos(min(abs(angle) + turn, math.pi))
    return least, greatest
