"""Which dimensions of an action space move a base in its plane. Free of ROS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy.typing as npt

from vla_contract.action_space import ActionSpace, Dimension
from vla_safety.surroundings.obstacles.base_kinematics import Twist2D
from vla_safety.surroundings.obstacles.obstacle_types import BaseBoundary

# Last two parts of the field that a dimension goes to, in Twist and in TwistStamped.
_FIELDS = ("linear.x", "linear.y", "angular.z")


class BaseMotion:
    """The planar velocity in a row of an action space: forward, left, turning left."""

    def __init__(self, space: ActionSpace) -> None:
        self._width = space.width
        self._indices = tuple(_index(space.dimensions, field) for field in _FIELDS)

    @property
    def exists(self) -> bool:
        """At least one dimension moves the base."""
        return any(index is not None for index in self._indices)

    def twist(self, row: Sequence[float] | npt.NDArray | None) -> Twist2D:
        """Its planar velocity; of no row, 0."""
        if row is None:
            return Twist2D()
        return Twist2D(*(0.0 if i is None else float(row[i]) for i in self._indices))

    def scaled(self, row: Sequence[float], ratio: float) -> list[float]:
        """The same row with the planar velocity at this share; the path stays the same."""
        values = [float(value) for value in row]
        for index in self._indices:
            if index is not None:
                values[index] *= ratio
        return values

    def coefficients(self, x: float, y: float, w: float) -> tuple[float, ...]:
        """One number for each dimension, from those for the planar velocity."""
        row = [0.0] * self._width
        for index, value in zip(self._indices, (x, y, w), strict=True):
            if index is not None:
                row[index] = value
        return tuple(row)

    def boundaries(
        self, found: Iterable[BaseBoundary]
    ) -> list[tuple[tuple[float, ...], float, str]]:
        """(coefficients, remaining, name) of those that some dimension can move towards."""
        rows = ((self.coefficients(one.x, one.y, one.w), one.remaining, one.name) for one in found)
        return [row for row in rows if any(row[0])]


def _index(dimensions: Sequence[Dimension], field: str) -> int | None:
    for index, dimension in enumerate(dimensions):
        path = ".".join(dimension.output.field.split(".")[-2:])
        if dimension.kind.is_velocity and path == field:
            return index
    return None
