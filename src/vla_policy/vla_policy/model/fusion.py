"""Image cells and words look at each other; the result is one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_policy.model.configuration import ModelConfig

# Added to the logits of what must not be looked at; finite, so that a row of nothing else is too.
MASKED = -1.0e4


class CrossModalAttention(nn.Module):
    """Queries of one modality attend to the other: residual, LayerNorm, weights returned."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(hidden, hidden)
        self.key_value = nn.Linear(hidden, 2 * hidden)
        self.output = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, keys: Tensor, key_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            queries: (B, Q, H). keys: (B, K, H). key_mask: (B, K), 1 where valid, else 0.

        Returns:
            (B, Q, H), and the weights (B, Q, K) averaged over heads: rows sum to 1, or to 0
            where no key is valid.
        """
        batch, count, hidden = queries.shape
        size = hidden // self.heads

        def split(x: Tensor) -> Tensor:
            return x.reshape(batch, -1, self.heads, size).transpose(1, 2)

        key, value = self.key_value(keys).chunk(2, dim=-1)
        logits = split(self.query(queries)) @ split(key).transpose(2, 3) * size**-0.5
        logits = logits + ((1.0 - key_mask) * MASKED)[:, None, None]
        weights = logits.softmax(-1) * key_mask[:, None, None]
        attended = (weights @ split(value)).transpose(1, 2).reshape(batch, count, hidden)
        result = self.norm(queries + self.dropout(self.output(attended)))
        return result, weights.mean(1)


class KeypointPooling(nn.Module):
    """Where in each image the learned heat maps lie: spatial softmax, one (x, y) per heat map."""

    coordinates: Tensor

    def __init__(self, hidden: int, keypoints: int, cameras: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.cameras = cameras
        self.heat = nn.Linear(hidden, keypoints)
        self.log_temperature = nn.Parameter(torch.zeros(1))
        rows, columns = torch.meshgrid(
            torch.linspace(-1.0, 1.0, grid[0]), torch.linspace(-1.0, 1.0, grid[1]), indexing="ij"
        )
        xy = torch.stack((columns, rows), dim=-1).reshape(-1, 2)
        self.register_buffer("coordinates", xy, persistent=False)

    def forward(self, cells: Tensor, camera_mask: Tensor) -> Tensor:
        """Pool (B, N * cells, H) to (B, N * keypoints * 2), x and y in [-1, 1], 0 where masked."""
        batch = cells.shape[0]
        heat = self.heat(cells).reshape(batch, self.cameras, self.coordinates.shape[0], -1)
        weights = (heat.float() * self.log_temperature.exp()).softmax(2)
        # Sums, not a matrix product: under autocast that would round to 8 bits, half a pixel.
        x = (weights * self.coordinates[:, :1]).sum(2)
        y = (weights * self.coordinates[:, 1:]).sum(2)
        return (torch.cat((x, y), dim=2) * camera_mask[:, :, None]).flatten(1)


class VisionLanguageFusion(nn.Module):
    """Cross-modal attention both ways, keypoints and the state, through an MLP to one vector."""

    def __init__(self, config: ModelConfig, grid: tuple[int, int]) -> None:
        super().__init__()
        arguments = (config.hidden, config.heads, config.dropout)
        self.image_to_words = CrossModalAttention(*arguments)
        self.words_to_image = CrossModalAttention(*arguments)
        self.keypoints = KeypointPooling(config.hidden, config.keypoints, config.cameras, grid)
        self.cells = grid[0] * grid[1]
        width = 3 * config.hidden + 2 * config.keypoints * config.cameras
        width += config.state + config.cameras
        self.mlp = nn.Sequential(
            nn.Linear(width, config.fusion_hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.fusion_hidden, config.fusion_hidden),
            nn.GELU(),
            nn.LayerNorm(config.fusion_hidden),
        )

    def forward(
        self,
        cells: Tensor,
        pooled: Tensor,
        camera_mask: Tensor,
        word_states: Tensor,
        word_mask: Tensor,
        sentence: Tensor,
        state: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Fuse.

        Args:
            cells: (B, N * cells, H). pooled: (B, H). camera_mask: (B, N).
            word_states: (B, W, H). word_mask: (B, W). sentence: (B, H).
            state: (B, S), normalised.

        Returns:
            fused (B, fusion_hidden), word-to-cell weights (B, W, N * cells).
        """
        cell_mask = camera_mask.repeat_interleave(self.cells, dim=1)
        grounded, _ = self.image_to_words(cells, word_states, word_mask)
        seen, weights = self.words_to_image(word_states, cells, cell_mask)
        words = word_mask.sum(1, keepdim=True).clamp(min=1.0)
        looked_at = (seen * word_mask[..., None]).sum(1) / words
        points = self.keypoints(grounded, camera_mask)
        parts = (pooled, looked_at, sentence, points, state, camera_mask)
        return self.mlp(torch.cat(parts, dim=1)), weights * word_mask[..., None]
