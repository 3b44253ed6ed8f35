"""Telling where the simulator's objects are: only a lesson, which makes the policy look closely.

The head is trained beside the policy, on the same fused vector, and is not exported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from vla_learning.data.dataset import Frames

HAND = ("end_effector.x", "end_effector.y", "end_effector.z")
HIDDEN = 64


def from_hand(frames: Frames, state_names: Sequence[str]) -> Frames:
    """The same frames, with landmarks as offsets from the hand where the state tells where it is.

    The state itself is left as it is; a batch's is noisy, and these offsets must not be.
    """
    if not frames.landmarks.shape[1] or not set(HAND) <= set(state_names):
        return frames
    hand = frames.state[:, [list(state_names).index(name) for name in HAND]]
    offsets = frames.landmarks - np.tile(hand, frames.landmarks.shape[1] // 3)
    return replace(frames, landmarks=offsets.astype(np.float32))


def landmark_head(fused: int, landmarks: int) -> nn.Module:
    """(B, fused) to (B, landmarks), in the unit of `objective.LANDMARK_UNIT`."""
    return nn.Sequential(nn.Linear(fused, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, landmarks))
