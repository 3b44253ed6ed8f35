"""Rigid transforms in three dimensions. Free of ROS.

Quaternions are (x, y, z, w), as in geometry_msgs. Lengths in m, angles in rad; roll, pitch and yaw
turn about the fixed x, y and z axes, in this order, as in URDF.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_contract.rotations import quaternion_problem

Array = npt.NDArray[np.float64]


class TransformError(ValueError):
    """Numbers that are no transform; the message says what is accepted."""


@dataclass(frozen=True)
class Transform:
    """p → rotation @ p + translation: from the child's frame into the parent's.

    rotation: shape (3, 3), orthonormal. translation: shape (3,).
    """

    rotation: Array
    translation: Array

    @staticmethod
    def identity() -> Transform:
        """No motion."""
        return Transform(np.eye(3), np.zeros(3))

    @staticmethod
    def from_quaternion(translation: Sequence[float], quaternion: Sequence[float]) -> Transform:
        """From x, y, z and a quaternion (x, y, z, w).

        Raises:
            TransformError: a number is not finite, or the quaternion is not of length 1.
        """
        where = np.array(translation, dtype=np.float64)
        if where.shape != (3,) or not np.isfinite(where).all():
            raise TransformError(f"translation is {list(translation)}; accepted: 3 finite numbers")
        return Transform(quaternion_matrix(quaternion), where)

    @staticmethod
    def from_rpy(translation: Sequence[float], rpy: Sequence[float]) -> Transform:
        """From x, y, z and roll, pitch, yaw."""
        return Transform.from_quaternion(translation, quaternion_from_rpy(*rpy))

    def apply(self, points: Array) -> Array:
        """Points of shape (n, 3)."""
        return np.asarray(points @ self.rotation.T + self.translation)

    def compose(self, inner: Transform) -> Transform:
        """First `inner`, then this."""
        return Transform(
            self.rotation @ inner.rotation, self.rotation @ inner.translation + self.translation
        )

    def inverse(self) -> Transform:
        """The way back."""
        return Transform(self.rotation.T.copy(), -self.rotation.T @ self.translation)

    @property
    def quaternion(self) -> tuple[float, float, float, float]:
        """Rotation as a quaternion (x, y, z, w), w >= 0."""
        return matrix_quaternion(self.rotation)

    @property
    def yaw(self) -> float:
        """Heading of the child's x axis in the parent's x-y plane."""
        return math.atan2(self.rotation[1, 0], self.rotation[0, 0])


def quaternion_matrix(quaternion: Sequence[float]) -> Array:
    """Rotation matrix of a quaternion (x, y, z, w), which is rounded to length 1.

    Raises:
        TransformError: it has another length, or is not finite.
    """
    problem = quaternion_problem(quaternion)
    if problem:
        raise TransformError(problem)
    norm = math.sqrt(sum(value * value for value in quaternion))
    x, y, z, w = (value / norm for value in quaternion)
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
            [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
            [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )


def quaternion_from_rpy(roll: float, pitch: float, yaw: float) -> tuple[float, float, float, float]:
    """Quaternion (x, y, z, w)."""
    cr, sr = math.cos(0.5 * roll), math.sin(0.5 * roll)
    cp, sp = math.cos(0.5 * pitch), math.sin(0.5 * pitch)
    cy, sy = math.cos(0.5 * yaw), math.sin(0.5 * yaw)
    return (
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
        cr * cp * cy + sr * sp * sy,
    )


def matrix_quaternion(matrix: Array) -> tuple[float, float, float, float]:
    """Quaternion (x, y, z, w), w >= 0, of a rotation matrix (Shepperd's method)."""
    m = matrix.tolist()
    squares = (
        1.0 + m[0][0] - m[1][1] - m[2][2],
        1.0 - m[0][0] + m[1][1] - m[2][2],
        1.0 - m[0][0] - m[1][1] + m[2][2],
        1.0 + m[0][0] + m[1][1] + m[2][2],
    )
    largest = max(range(4), key=squares.__getitem__)
    xy, xz, yz = m[1][0] + m[0][1], m[2][0] + m[0][2], m[2][1] + m[1][2]
    xw, yw, zw = m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]
    # The row of 4 q q^T that belongs to the largest element.
    row = (
        (squares[0], xy, xz, xw),
        (xy, squares[1], yz, yw),
        (xz, yz, squares[2], zw),
        (xw, yw, zw, squares[3]),
    )[largest]
    norm = math.copysign(math.sqrt(sum(value * value for value in row)), row[3])
    return (row[0] / norm, row[1] / norm, row[2] / norm, row[3] / norm)
