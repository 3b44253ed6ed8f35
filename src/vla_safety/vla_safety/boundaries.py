"""Where a motion has to end: half-spaces that braking must not leave. Free of ROS."""

from __future__ import annotations

from dataclasses import dataclass

from vla_safety.axes import Limit


@dataclass(frozen=True)
class Boundary:
    """A plane that the motion must stop before.

    coefficients: one per dimension of the action space, c_i; not 0 for velocity dimensions only.
    A displacement x_i of the dimensions brings the robot nearer to the plane by sum(c_i x_i).
    remaining: the way that is left at this period's begin, m; 0 or less at the plane and beyond,
    NaN where it is not known: then only what leads away passes.
    limit, name: what a violation says.
    """

    coefficients: tuple[float, ...]
    remaining: float
    limit: Limit
    name: str
