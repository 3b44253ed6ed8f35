"""Observations whose images are held: the last good ones, with a newer state of the robot.

Perception repeats a set of images that has not been followed by another one, a nanosecond later
each time. What the model makes of it is meant for the time of the state, and a chunk's rows count
from its observation stamp, which stays the images': so the rows are moved on by the difference.
The plan ends when it would have ended without; only its last rows are newer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Actions = npt.NDArray[np.float64]

_MOST_REPEATS = 1000  # ns between an image's stamp and its observation's


def held_for(observation: int, images: list[int], states: list[int]) -> float:
    """How much newer the state is than the images of an observation that repeats them, s.

    Args:
        observation, images, states: stamps, ns; of valid images and states only.

    Returns:
        0.0 where nothing is repeated.
    """
    if not images or not states or not 0 < observation - min(images) < _MOST_REPEATS:
        return 0.0
    return max(0.0, (max(states) - min(images)) * 1e-9)


def moved_on(actions: Actions, delay: float, period: float) -> Actions:
    """Rows for `delay` s later, (T, D): the first one fills what is past, the last ones go."""
    rows = min(round(delay / period), len(actions))
    if rows <= 0:
        return actions
    return np.concatenate([np.repeat(actions[:1], rows, axis=0), actions[: len(actions) - rows]])
