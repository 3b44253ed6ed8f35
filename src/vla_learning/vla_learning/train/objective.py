"""What training minimises, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vla_learning.learning_settings import TrainSettings
from vla_policy.model.network import PolicyOutput


@dataclass(frozen=True)
class Losses:
    """Terms of the objective, all scalar tensors; `total` is what is minimised."""

    total: Tensor
    action: Tensor
    steps: Tensor
    landmarks: Tensor


# Landmarks are told in this unit, m, from the hand; further than `FARTHEST` units counts as that.
LANDMARK_UNIT = 0.1
FARTHEST = 8.0


def landmark_loss(told: Tensor, offsets: Tensor) -> Tensor:
    """L1 between where landmarks are said to be and are.

    told: (B, K), units of `LANDMARK_UNIT`. offsets: (B, K), m, from the hand.
    """
    return (told.float() - offsets / LANDMARK_UNIT).abs().clamp(max=FARTHEST).mean()


def compute_losses(
    output: PolicyOutput,
    batch: dict[str, Tensor],
    dimension_weights: Tensor,
    s: TrainSettings,
    landmarks: Tensor | None = None,
) -> Losses:
    """L1 on the rows that were recorded, cross-entropy on the steps left; `landmarks`: their loss.

    Rows from `late_row` on count less: a new chunk replaces them before they are executed.
    """
    rows = torch.ones(output.actions.shape[1], device=output.actions.device)
    rows[s.late_row :] = s.late_row_weight
    weights = batch["row_mask"][..., None] * rows[None, :, None] * dimension_weights
    error = (output.actions.float() - batch["actions"]).abs() * weights
    action = error.sum() / weights.sum().clamp(min=1.0)
    steps = F.cross_entropy(output.steps_logits.float(), batch["steps_left"])
    places = torch.zeros_like(action) if landmarks is None else landmarks
    total = action + s.steps_weight * steps + s.landmark_weight * places
    return Losses(total, action, steps, places)


def learning_rate(step: int, s: TrainSettings) -> float:
    """Linear warm-up, then down to a hundredth: by a cosine, or linearly at the end."""
    if step < s.warmup_steps:
        return s.learning_rate * (step + 1) / s.warmup_steps
    if s.decay_steps:
        return s.learning_rate * float(np.clip((s.steps - step) / s.decay_steps, 0.01, 1.0))
    done = (step - s.warmup_steps) / max(1, s.steps - s.warmup_steps)
    return s.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * done))))
