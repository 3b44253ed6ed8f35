"""Rotations as unit quaternions, rotation vectors and two columns of a matrix. Free of ROS.

A quaternion is x, y, z, w, as in ROS; q and -q are the same rotation. A rotation vector is the axis
times the angle, rad. Exponential and logarithm are those of SO(3) (Solà, Deray, Atchuthan: A micro
Lie theory for state estimation in robotics, arXiv 1812.01537, example 3), interpolation is
Shoemake's slerp, six numbers are the first two columns of the matrix, orthonormalised by
Gram-Schmidt (Zhou et al.: On the continuity of rotation representations in neural networks,
arXiv 1812.07035, section 4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

# Drivers round to 32 bits; one that sends another length sends something else.
TOLERANCE = 0.01
IDENTITY: Quaternion = (0.0, 0.0, 0.0, 1.0)
# Two columns that are shorter, or nearer to parallel, than this say nothing of a rotation.
_LEAST_COLUMN = 1e-6


def quaternion_problem(quaternion: Sequence[float]) -> str:
    """Why numbers x, y, z, w are no rotation; empty where they are one, of length 1."""
    length = math.sqrt(sum(value * value for value in quaternion))
    if len(quaternion) == 4 and abs(length - 1.0) <= TOLERANCE:  # which NaN is not
        return ""
    return f"quaternion is {list(quaternion)}; accepted: x, y, z, w of length 1"


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """The rotation a after b, scaled to length 1."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    x = aw * bx + ax * bw + ay * bz - az * by
    y = aw * by - ax * bz + ay * bw + az * bx
    z = aw * bz + ax * by - ay * bx + az * bw
    w = aw * bw - ax * bx - ay * by - az * bz
    length = math.sqrt(x * x + y * y + z * z + w * w)
    return x / length, y / length, z / length, w / length


def inverse(q: Quaternion) -> Quaternion:
    """The opposite rotation."""
    return -q[0], -q[1], -q[2], q[3]


def exponential(vector: Sequence[float]) -> Quaternion:
    """Quaternion of a rotation vector, rad, of any length."""
    x, y, z = vector
    angle = math.hypot(x, y, z)
    share = math.sin(0.5 * angle) / angle if angle > 1e-8 else 0.5 - angle * angle / 48.0
    return share * x, share * y, share * z, math.cos(0.5 * angle)


def logarithm(q: Quaternion) -> Vector:
    """Rotation vector of a quaternion, rad; the shorter way round, of at most pi."""
    x, y, z, w = q if q[3] >= 0.0 else (-q[0], -q[1], -q[2], -q[3])
    sine = math.sqrt(x * x + y * y + z * z)
    share = 2.0 * math.atan2(sine, w) / sine if sine > 1e-12 else 2.0 / w
    return share * x, share * y, share * z


def slerp(a: Quaternion, b: Quaternion, share: float) -> Quaternion:
    """The rotation at a share of the shorter way from a to b."""
    x, y, z = logarithm(multiply(b, inverse(a)))
    return multiply(exponential((share * x, share * y, share * z)), a)


def from_columns(columns: Sequence[float]) -> Quaternion | None:
    """Quaternion of two columns of a matrix, six numbers; None where they span no plane."""
    a, b = columns[:3], columns[3:]
    size = math.hypot(*a)
    if not size >= _LEAST_COLUMN:
        return None
    first = [v / size for v in a]
    along = sum(u * v for u, v in zip(first, b, strict=True))
    rest = [v - along * u for u, v in zip(first, b, strict=True)]
    size = math.hypot(*rest)
    if not size >= _LEAST_COLUMN:
        return None
    second = [v / size for v in rest]
    (a0, a1, a2), (b0, b1, b2) = first, second
    return _from_matrix(first, second, [a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0])


def _from_matrix(a: Sequence[float], b: Sequence[float], c: Sequence[float]) -> Quaternion:
    """Of a matrix's three columns, by the greatest of the quaternion's four entries."""
    squares = (
        1.0 + a[0] - b[1] - c[2],
        1.0 - a[0] + b[1] - c[2],
        1.0 - a[0] - b[1] + c[2],
        1.0 + a[0] + b[1] + c[2],
    )
    k = squares.index(max(squares))
    s = squares[k]
    q = (
        (s, a[1] + b[0], c[0] + a[2], b[2] - c[1]),
        (a[1] + b[0], s, b[2] + c[1], c[0] - a[2]),
        (c[0] + a[2], b[2] + c[1], s, a[1] - b[0]),
        (b[2] - c[1], c[0] - a[2], a[1] - b[0], s),
    )[k]
    length = math.sqrt(sum(v * v for v in q))
    return q[0] / length, q[1] / length, q[2] / length, q[3] / length


def to_columns(q: Quaternion) -> tuple[float, ...]:
    """The first two columns of the matrix of a quaternion, six numbers."""
    x, y, z, w = q
    return (
        1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + z * w), 2.0 * (x * z - y * w),
        2.0 * (x * y - z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + x * w),
    )  # fmt: skip


def from_numbers(numbers: Sequence[float]) -> Quaternion | None:
    """Quaternion of a rotation vector (3 numbers) or of two columns (6).

    None where they tell no rotation: not finite, too large, or columns that span no plane.
    """
    if not math.isfinite(math.hypot(*numbers)):
        return None
    return exponential(numbers) if len(numbers) == 3 else from_columns(numbers)


def to_numbers(q: Quaternion, count: int) -> tuple[float, ...]:
    """The inverse of `from_numbers`: 3 numbers or 6."""
    return logarithm(q) if count == 3 else to_columns(q)
