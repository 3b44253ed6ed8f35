"""Warnings: motion above the soft thresholds of the action space. It passes. Free of ROS."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vla_contract.action_space import ActionSpace
from vla_safety.limits.axes import Limit, LimitViolation


def warnings(space: ActionSpace, values: Sequence[float]) -> tuple[LimitViolation, ...]:
    """What is above the thresholds in a command; values: SI, one per dimension.

    The distance to obstacles (`ActionSpace.soft.distance`) is watched where it is measured.
    """
    soft = space.soft
    found = (
        speed_warning("linear", space.linear_indices, values, soft.linear_velocity),
        speed_warning("angular", space.angular_indices, values, soft.angular_velocity),
    )
    return tuple(warning for warning in found if warning is not None)


def speed_warning(
    name: str, indices: Sequence[int], values: Sequence[float], threshold: float
) -> LimitViolation | None:
    """A warning where the norm of the velocities at `indices` is above the threshold, or NaN."""
    if not indices:
        return None
    norm = math.sqrt(sum(values[i] * values[i] for i in indices))
    if norm <= threshold:
        return None
    return LimitViolation(Limit.NORM, "", norm, threshold, name)


def distance_warning(distance: float, threshold: float, name: str) -> LimitViolation | None:
    """A warning where an obstacle of the source `name` is nearer than the threshold, m."""
    if distance >= threshold:
        return None
    return LimitViolation(Limit.OBSTACLE, "", distance, threshold, name)
