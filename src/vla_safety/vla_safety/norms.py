"""Combined limits of several velocities: of the root of the sum of their squares. Free of ROS."""

from __future__ import annotations

from dataclasses import dataclass

from vla_safety.axes import Limit


@dataclass(frozen=True)
class Norm:
    """Greatest norm of the velocities at `indices`, m/s or rad/s; name: "linear" or "angular"."""

    name: str
    indices: tuple[int, ...]
    maximum: float


@dataclass(frozen=True)
class SpeedCap:
    """Greatest norm of the linear velocities for now, m/s, and what a violation says of it."""

    value: float
    limit: Limit
    name: str
