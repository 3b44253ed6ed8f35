"""What training minimises, and how fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vla_learning.settings import TrainSettings
from vla_policy.model.network import PolicyOutput


@dataclass(frozen=True)
class Losses:
    """Terms of the objective, all scalar tensors; `total` is what is minimised."""

    total: Tensor
    action: Tensor
    steps: Tensor


def compute_losses(
    output: PolicyOutput, batch: dict[str, Tensor], dimension_weights: Tensor, s: TrainSettings
) -> Losses:
    """L1 on the rows that were recorded, cross-entropy on the steps left.

    Rows from `late_row` on count less: a new chunk replaces them before they are executed.
    """
    rows = torch.ones(output.actions.shape[1])
    rows[s.late_row :] = s.late_row_weight
    weights = batch["row_mask"][..., None] * rows[None, :, None] * dimension_weights
    error = (output.actions.float() - batch["actions"]).abs() * weights
    action = error.sum() / weights.sum().clamp(min=1.0)
    steps = F.cross_entropy(output.steps_logits.float(), batch["steps_left"])
    return Losses(action + s.steps_weight * steps, action, steps)


def learning_rate(step: int, s: TrainSettings) -> float:
    """Linear warm-up, then a cosine down to a hundredth."""
    if step < s.warmup_steps:
        return s.learning_rate * (step + 1) / s.warmup_steps
    done = (step - s.warmup_steps) / max(1, s.steps - s.warmup_steps)
    return s.learning_rate * (0.01 + 0.99 * 0.5 * (1.0 + float(np.cos(np.pi * done))))
