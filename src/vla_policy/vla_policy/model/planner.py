"""One fused vector to a chunk of actions and the number of steps to the end of the task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_policy.model.model_configuration import ModelConfig


class Plan(NamedTuple):
    """What the planner makes of a fused vector.

    actions (B, T, D) in [-1, 1]. steps_logits (B, T + 1) of the number of steps to the end of the
    task, T standing for "T or more".
    """

    actions: Tensor
    steps_logits: Tensor

    @property
    def step_probabilities(self) -> Tensor:
        """(B, T + 1), rows sum to 1."""
        return self.steps_logits.softmax(-1)

    @property
    def steps(self) -> Tensor:
        """(B,) int64, the likeliest number of steps that are left, T for "T or more"."""
        return self.steps_logits.argmax(-1)


class ActionDecoder(nn.Module):
    """MLP, tanh, and each dimension's own range of the action space.

    The network is trained, and its graphs answer, in normalised units: there the range is -1 to 1
    for every dimension, and the action space that goes with the weights turns it into SI units.
    """

    low: Tensor
    high: Tensor

    def __init__(
        self, width: int, actions: int, low: Sequence[float] = (), high: Sequence[float] = ()
    ) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, actions))
        for name, values, default in (("low", low, -1.0), ("high", high, 1.0)):
            bounds = torch.tensor(list(values) or [default] * actions)
            self.register_buffer(name, bounds, persistent=False)

    def normalised(self, states: Tensor) -> Tensor:
        """Decode (..., width) to (..., actions) in [-1, 1]."""
        return self.mlp(states).tanh()

    def in_range(self, normalised: Tensor) -> Tensor:
        """Move (..., actions) from [-1, 1] into the range of each dimension, SI."""
        return self.low + (normalised.float() + 1.0) * 0.5 * (self.high - self.low)

    def forward(self, states: Tensor) -> Tensor:
        """Decode (..., width) to (..., actions), each within its own range."""
        return self.in_range(self.normalised(states))


class Planner(nn.Module):
    """An LSTM over the rows of the chunk, and a classifier of the steps that are left."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.planner_hidden
        self.enter = nn.Linear(config.fusion_hidden, width)
        self.row = nn.Parameter(0.1 * torch.randn(config.steps, width))
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.skip = nn.Linear(config.fusion_hidden, width)
        self.decoder = ActionDecoder(width, config.actions, config.action_low, config.action_high)
        self.steps_left = nn.Sequential(
            nn.Linear(config.fusion_hidden, width), nn.GELU(), nn.Linear(width, config.steps + 1)
        )

    def forward(self, fused: Tensor) -> Plan:
        """Plan from the fused vector (B, fusion_hidden)."""
        inputs = self.enter(fused)[:, None] + self.row[None]
        states, _ = self.lstm(inputs)
        actions = self.decoder.normalised(states + self.skip(fused)[:, None])
        return Plan(actions, self.steps_left(fused))
