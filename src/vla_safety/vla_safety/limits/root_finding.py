"""Where a growing function of one number is 0. Free of ROS."""

from __future__ import annotations

from collections.abc import Callable

_TRIES = 60


def illinois(
    function: Callable[[float], float],
    inner: float,
    outer: float,
    f_inner: float,
    f_outer: float,
    tolerance: float,
) -> float:
    """A point between `inner` and `outer` at which the function is 0 within the tolerance.

    By regula falsi in the Illinois variant (Dowell and Jarratt, 1971).
    f_inner, f_outer: values at both ends, of opposite signs. Where the zero is not met, the answer
    lies on the side of `inner`. NaN counts as beyond the zero.
    """
    at_start, side = f_inner, 0
    for _ in range(_TRIES):
        middle = outer - f_outer * (outer - inner) / (f_outer - f_inner)
        f_middle = function(middle)
        if abs(f_middle) <= tolerance:
            return middle
        if f_middle * at_start > 0.0:
            inner, f_inner = middle, f_middle
            # An end that stays twice is halved, or the method would creep.
            f_outer = f_outer * 0.5 if side == 1 else f_outer
            side = 1
        else:
            outer, f_outer = middle, f_middle
            f_inner = f_inner * 0.5 if side == -1 else f_inner
            side = -1
    return inner
