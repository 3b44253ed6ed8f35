"""What a rotation must be, whoever measured or published it."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Drivers round to 32 bits; one that sends another length sends something else.
TOLERANCE = 0.01


def quaternion_problem(quaternion: Sequence[float]) -> str:
    """Why numbers x, y, z, w are no rotation; empty where they are one, of length 1."""
    length = math.sqrt(sum(value * value for value in quaternion))
    if len(quaternion) == 4 and abs(length - 1.0) <= TOLERANCE:  # which NaN is not
        return ""
    return f"quaternion is {list(quaternion)}; accepted: x, y, z, w of length 1"
