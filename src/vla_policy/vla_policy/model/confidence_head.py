"""How likely the policy is to succeed from here."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_policy.model.model_configuration import ModelConfig


class Confidence(nn.Module):
    """Probability that the episode ends in success, from what the policy sees and plans.

    Trained on the outcomes of the policy's own episodes, after everything else and without
    changing it: gradients stop at the inputs. `scale` and `offset` are set by calibration on
    episodes that were not trained on; as made they change nothing.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.fusion_hidden + config.steps + 1
        hidden = config.confidence_hidden
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, 1))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def logit(self, fused: Tensor, steps_logits: Tensor) -> Tensor:
        """(B,) uncalibrated log-odds; arguments as for `forward`."""
        steps = steps_logits.detach().softmax(-1)
        return self.mlp(torch.cat((fused.detach(), steps), dim=1))[:, 0]

    def forward(self, fused: Tensor, steps_logits: Tensor) -> Tensor:
        """Judge.

        Args:
            fused: (B, fusion_hidden). steps_logits: (B, T + 1).

        Returns:
            (B,) in 0..1.
        """
        return (self.logit(fused, steps_logits) * self.scale + self.offset).sigmoid()
