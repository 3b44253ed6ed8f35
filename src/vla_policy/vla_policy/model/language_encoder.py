"""Words to states: embedding, two LSTM layers, projection, LayerNorm."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_policy.model.model_configuration import ModelConfig


class LanguageEncoder(nn.Module):
    """A padded command to per-word states and one sentence vector.

    The LSTM runs forwards only and padding comes last, so no valid state ever sees padding; the
    states of padding are set to zero. An empty command gives a zero sentence.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.embedding, padding_idx=0)
        self.lstm = nn.LSTM(
            config.embedding,
            config.language_hidden,
            num_layers=2,
            batch_first=True,
            dropout=config.dropout,
        )
        self.project = nn.Linear(config.language_hidden, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)

    def forward(self, tokens: Tensor, word_count: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            tokens: (B, W) int64, words first, then 0. word_count: (B,) int64, 0..W.

        Returns:
            word_states (B, W, hidden), zero from word_count on; sentence (B, hidden).
        """
        states, _ = self.lstm(self.embedding(tokens))
        states = self.norm(self.project(states))
        positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        valid = (positions < word_count[:, None]).to(states.dtype)[..., None]
        last = (positions == word_count[:, None] - 1).to(states.dtype)[..., None]
        return states * valid, (states * last).sum(1)
