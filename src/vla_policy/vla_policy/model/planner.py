"""One fused vector to a chunk of actions and the number of steps to the end of the task."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_policy.model.configuration import ModelConfig


class ActionDecoder(nn.Module):
    """A planner state to one action in [-1, 1]; the action space turns it into SI units."""

    def __init__(self, width: int, actions: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, actions))

    def forward(self, states: Tensor) -> Tensor:
        """Decode (..., width) to (..., actions)."""
        return self.mlp(states).tanh()


class Planner(nn.Module):
    """An LSTM over the rows of the chunk, and a classifier of the steps that are left."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.planner_hidden
        self.enter = nn.Linear(config.fusion_hidden, width)
        self.row = nn.Parameter(0.1 * torch.randn(config.steps, width))
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.skip = nn.Linear(config.fusion_hidden, width)
        self.decoder = ActionDecoder(width, config.actions)
        self.steps_left = nn.Sequential(
            nn.Linear(config.fusion_hidden, width), nn.GELU(), nn.Linear(width, config.steps + 1)
        )

    def forward(self, fused: Tensor) -> tuple[Tensor, Tensor]:
        """Plan.

        Args:
            fused: (B, fusion_hidden).

        Returns:
            actions (B, T, actions) in [-1, 1]; steps_logits (B, T + 1) over the number of steps
            to the end of the task, T standing for "T or more".
        """
        inputs = self.enter(fused)[:, None] + self.row[None]
        states, _ = self.lstm(inputs)
        return self.decoder(states + self.skip(fused)[:, None]), self.steps_left(fused)
