"""Frozen cameras: the very same picture again and again while the robot moves.

A sensor's noise makes every real picture differ from the last. A simulator at rest renders
identical ones, and so may a driver that repeats its last picture while nothing happens: so the
time counts from where the robot begins to move, or always where the camera's parameters say that
its pictures differ also at rest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from vla_contract.image_pixels import Image
from vla_perception.cameras.image_defects import Defect
from vla_perception.observe.stamped_streams import Drop

# Rows compared first: pictures that differ, as nearly all do, are told apart by a few of them.
_FEW = 16
_BEGUN = 0.1  # of the motion that is asked for: less is the noise of a robot at rest

Positions = Mapping[str, Sequence[float]]


def same(before: Image, after: Image) -> bool:
    """Two pictures are equal in every byte."""
    if before.shape != after.shape:
        return False
    return np.array_equal(before[::_FEW], after[::_FEW]) and np.array_equal(before, after)


def moved(before: Positions, after: Positions) -> float:
    """Greatest change of any position known at both times, rad or m."""
    changes = (
        abs(a - b)
        for name in before.keys() & after.keys()
        if len(before[name]) == len(after[name])
        for a, b in zip(before[name], after[name], strict=True)
    )
    return max((change for change in changes if math.isfinite(change)), default=0.0)


class FrozenWatch:
    """Follows the pictures of one camera.

    timeout: s; 0: off. motion: rad or m that the robot must have moved. at_rest: no motion needed.
    """

    def __init__(self, timeout: float, motion: float, *, at_rest: bool = False) -> None:
        self._timeout = timeout
        self._motion = motion
        self._at_rest = at_rest
        self._last: Image | None = None
        self._since = 0.0
        self._positions: Positions = {}

    def check(self, pixels: Image, now: float, positions: Positions) -> Defect | None:
        """Look at the next picture. now: s. positions: of the robot, by source, rad or m."""
        if not self._timeout:
            return None
        if self._last is None or not same(self._last, pixels):
            self._last, self._since, self._positions = pixels, now, dict(positions)
            return None
        motion = moved(self._positions, positions)
        if not self._at_rest and motion < _BEGUN * self._motion:
            self._since = now
        lasted = now - self._since
        if lasted < self._timeout or (not self._at_rest and motion < self._motion):
            return None
        return Defect(
            Drop.FROZEN,
            f"frozen: the same picture for {lasted:.1f} s, while the robot moved by {motion:.3f}; "
            f"accepted: up to {self._timeout:g} s",
        )

    def reset(self) -> None:
        """Forget the last picture: the clock jumped, or all begins anew."""
        self._last = None
