"""Where the end effector or the base may be, and how fast where. Free of ROS.

A `Workspace` becomes one `Boundary` per face and measured position; a `SpeedZone` a `SpeedCap`.
Without a position there is neither: the caller holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vla_contract.action_space import ActionSpace
from vla_safety.axes import Limit
from vla_safety.boundaries import Boundary

Vector = tuple[float, float, float]
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
    """Dimension and axis (0 x, 1 y, 2 z) of each linear velocity, by the field it goes to."""
    return tuple(
        (i, _NAMES.index(field[-1]))
        for i, dimension in enumerate(space.dimensions)
        if i in space.linear_indices
        and (field := dimension.output.field).endswith(tuple(f"linear.{n}" for n in _NAMES))
    )


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
        axes = linear_axes(space)
        uncertain = speed * latency
        found = []
        for k, name in enumerate(_NAMES):
            for low, sign in ((True, -1.0), (False, 1.0)):
                limit = self.low[k] if low else self.high[k]
                if math.isinf(limit):
                    continue
                coefficients = [0.0] * space.width
                for index, axis in axes:
                    coefficients[index] = sign * rotation[k][axis]
                remaining = sign * (limit - position[k]) - uncertain
                found.append(
                    Boundary(
                        tuple(coefficients),
                        remaining,
                        Limit.WORKSPACE,
                        f"{name} {'low' if low else 'high'}",
                    )
                )
        return tuple(found)
