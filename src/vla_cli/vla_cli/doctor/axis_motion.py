"""One axis that was told to move, and what moved: the judgement of `vla doctor --axes`.

A wrong sign or frame passes every limit, so it is looked for with the robot's own measurements and
with a person's eyes. Free of ROS.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import Dimension, Kind
from vla_safety.surroundings.transforms import quaternion_matrix

Array = npt.NDArray[np.float64]

LEAST = 0.3  # of the commanded displacement; below it nothing moved
SCALE = 3.0  # measured and commanded displacement may differ by this factor

# What a person sees, by axis and sign, of a frame with x forward, y left and z up (REP 103).
WORDS = {
    ("linear", "x"): ("forwards", "backwards"),
    ("linear", "y"): ("to its left", "to its right"),
    ("linear", "z"): ("up", "down"),
    ("angular", "x"): ("rolling to its right", "rolling to its left"),
    ("angular", "y"): ("pitching down", "pitching up"),
    ("angular", "z"): ("turning left (counter-clockwise from above)", "turning right"),
}


class Outcome(enum.Enum):
    """What came of one axis."""

    RIGHT = "as it was told"
    WRONG_SIGN = "the wrong way: the sign is wrong"
    OTHER_AXIS = "along another axis: the frame or the field is wrong"
    WRONG_SCALE = "by another amount: the unit is wrong"
    NOT_MOVED = "not at all"
    NOT_MEASURED = "in no measured quantity"


@dataclass(frozen=True)
class Pose:
    """Position, m, and rotation as a unit quaternion x, y, z, w, in `frame`."""

    position: tuple[float, float, float]
    rotation: tuple[float, float, float, float]
    frame: str


def axis_of(dimension: Dimension) -> tuple[str, int] | None:
    """("linear" or "angular", 0 to 2) of a dimension that goes to a Twist, or is a position."""
    if dimension.kind is Kind.END_EFFECTOR_POSITION and dimension.output.field[-1] in "xyz":
        return "linear", "xyz".index(dimension.output.field[-1])
    if not dimension.kind.is_velocity or "Twist" not in dimension.output.type:
        return None
    part, axis = dimension.output.field.split(".")[-2:]
    return part, "xyz".index(axis)


def judge(expected: float, measured: Sequence[float] | None, index: int = 0) -> Outcome:
    """Compare what was told with what was measured.

    Args:
        expected: commanded displacement along the axis. measured: displacement along each axis of
            the same kind, or None; index: the axis among them.
    """
    if measured is None:
        return Outcome.NOT_MEASURED
    along = measured[index]
    aside = math.hypot(*(v for i, v in enumerate(measured) if i != index))
    if math.hypot(along, aside) < LEAST * abs(expected):
        return Outcome.NOT_MOVED
    if aside > abs(along):
        return Outcome.OTHER_AXIS
    if along * expected < 0.0:
        return Outcome.WRONG_SIGN
    if not 1.0 / SCALE <= along / expected <= SCALE:
        return Outcome.WRONG_SCALE
    return Outcome.RIGHT


def displacement(before: Pose, after: Pose, part: str, frame: str) -> tuple[float, ...]:
    """Displacement along x, y, z of `frame`: m, or rad as a rotation vector.

    Where the poses are in another frame, `frame` is taken as the one that moves.

    Raises:
        TransformError: a rotation is none.
    """
    start = quaternion_matrix(before.rotation)
    own = frame == before.frame
    if part == "linear":
        moved = np.subtract(after.position, before.position)
        return tuple((moved if own else start.T @ moved).tolist())
    end = quaternion_matrix(after.rotation)
    return tuple(_rotation_vector(end @ start.T if own else start.T @ end).tolist())


def told(dimension: Dimension, sign: float) -> str:
    """What the robot is told, for a person to compare."""
    axis = axis_of(dimension)
    way = "+" if sign > 0 else "-"
    if axis is None:
        return f"{dimension.name} in its {way} direction"
    part, index = axis
    words = WORDS[part, "xyz"[index]][sign < 0]
    what = "along" if part == "linear" else "about"
    return f"{what} {way}{'xyz'[index]} of {dimension.frame}: {words}"


def amount(dimension: Dimension, value: float) -> str:
    """A displacement in words, e.g. "4.0 cm"."""
    metres = dimension.kind is Kind.LINEAR_VELOCITY or dimension.unit == "m"
    if metres:
        return f"{abs(value) * 100:.1f} cm"
    if dimension.kind is Kind.ANGULAR_VELOCITY or dimension.unit == "rad":
        return f"{math.degrees(abs(value)):.1f} degrees"
    return f"{abs(value):.2g} {dimension.unit}"


def _rotation_vector(matrix: Array) -> Array:
    """Axis times angle, rad, of a rotation of less than half a turn."""
    axis = np.array(
        [matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]]
    )
    sine = float(np.linalg.norm(axis)) / 2.0
    angle = math.atan2(sine, (float(np.trace(matrix)) - 1.0) / 2.0)
    return axis * (angle / (2.0 * sine)) if sine > 1e-12 else np.zeros(3)
