"""Judges an orientation's commands by rotation matrices alone. Free of ROS.

It shares no code with what it judges: numbers become a matrix by Rodrigues' formula or by
Gram-Schmidt, and a turn is read from a matrix by its skew part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_proof.properties.checked_bounds import Bounds
from vla_proof.properties.convergence import NormConvergence

Array = npt.NDArray[np.float64]
ROUNDING = 4e-15  # rad, of a turn between two commands
SHARE = 1.0 / math.sqrt(3.0)  # of the jerk that one axis takes a peak back with


def matrix(numbers: Sequence[float]) -> Array:
    """Of a rotation vector or of two columns; the identity where they tell no rotation."""
    values = np.array(numbers, dtype=np.float64)
    if len(values) == 3:
        angle = float(np.linalg.norm(values))
        if angle == 0.0:
            return np.eye(3)
        x, y, z = values / angle
        skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        made: Array = np.eye(3) + math.sin(angle) * skew + (1.0 - math.cos(angle)) * skew @ skew
        return made
    a, b = values[:3], values[3:]
    area = np.linalg.norm(np.cross(a, b))
    if not area >= 1e-6 * np.linalg.norm(a) or not np.linalg.norm(a) >= 1e-6:
        return np.eye(3)
    a = a / np.linalg.norm(a)
    b = b - (a @ b) * a
    b = b / np.linalg.norm(b)
    return np.stack([a, b, np.cross(a, b)], axis=1)


def turn(before: Array, after: Array) -> Array:
    """Rotation vector from one to the other, rad; of less than a quarter turn, shape (3,)."""
    d = after @ before.T
    axis = 0.5 * np.array([d[2, 1] - d[1, 2], d[0, 2] - d[2, 0], d[1, 0] - d[0, 1]])
    sine = float(np.linalg.norm(axis))
    if sine < 1e-7:
        return axis
    found: Array = axis * (math.atan2(sine, 0.5 * (np.trace(d) - 1.0)) / sine)
    return found


class OrientationOracle:
    """History of one orientation, and the judgement of its next command."""

    def __init__(
        self, space: ActionSpace, indices: Sequence[int], start: Sequence[float], bounds: Bounds
    ) -> None:
        """start: SI, one per dimension of the space: the orientation that it rests at."""
        self._indices = tuple(indices)
        self._dimension = space.dimensions[indices[0]]
        self._period = space.period
        self._bounds = bounds
        normal = self._dimension.normal
        axis = replace(self._dimension, normal=replace(normal, jerk=SHARE * normal.jerk))
        self._convergence = NormConvergence([axis] * 3, space.period, bounds)
        self._rotation = matrix([start[i] for i in self._indices])
        self._rate: Array = np.zeros(3)
        self._acceleration: Array = np.zeros(3)

    @property
    def speed(self) -> float:
        """Angular velocity of the last command, rad/s; 0 where it told the one before."""
        return float(np.linalg.norm(self._rate))

    @property
    def settled(self) -> bool:
        """No angular acceleration is left."""
        return not self._acceleration.any()

    def take(self, values: Sequence[float], emergency: bool, scale: float) -> None:
        """Judge the next command; values: of all dimensions of the space."""
        d, t, bounds = self._dimension, self._period, self._bounds
        numbers = [values[i] for i in self._indices]
        if not all(map(math.isfinite, numbers)):
            bounds.fail("finite", d.name, math.nan, 0.0)
            return
        limits = d.emergency if emergency else d.normal
        rotation = matrix(numbers)
        turned = turn(self._rotation, rotation)
        rate = turned / t if _size(turned) > ROUNDING else np.zeros(3)
        acceleration = (rate - self._rate) / t
        jerk = (acceleration - self._acceleration) / t
        most, noise = max(limits.acceleration, limits.deceleration), ROUNDING / t**2
        bounds.check("angular acceleration", d.name, _size(acceleration), most, 2.0 * noise)
        bounds.check("angular jerk", d.name, _size(jerk), limits.jerk, 4.0 * noise / t)
        before = list(zip(self._rate.tolist(), self._acceleration.tolist(), strict=True))
        velocity = min(d.normal.velocity, d.emergency.velocity)
        self._convergence.take(rate.tolist(), before, velocity * scale)
        self._rotation = rotation
        self._rate, self._acceleration = rate, acceleration


def _size(vector: Array) -> float:
    return float(np.linalg.norm(vector))
