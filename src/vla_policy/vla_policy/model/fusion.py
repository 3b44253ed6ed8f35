"""Image cells and words look at each other; the result is one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vla_policy.model.model_configuration import ModelConfig

# Added to the logits of what must not be looked at; finite, so that a row of nothing else is too.
MASKED = -1.0e4


class CrossModalAttention(nn.Module):
    """Queries of one modality attend to the other: residual, LayerNorm, weights returned.

    Multi-head attention (Vaswani et al. 2017).

    Attributes:
        folded: the same with half of the work, for graphs that are exported. Of the two modalities
            one is long (hundreds of cells) and the other short (some words); the projections of
            the long one, being linear, are moved to the short one's side of each product. Long
            queries x and short keys y, per head, with k = y Wk + bk, v = y Wv + bv:

                (x Wq + bq) · k = x · (Wqᵀ k) + bq · k        (w v) Wo = w (v Wo)

            Short queries and long keys, with q = x Wq + bq, and weights w that sum to 1:

                q · (y Wk + bk) = (Wkᵀ q) · y + what all keys share
                w (y Wv + bv) = (w y) Wv + bv
    """

    folded = False

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
        masked = (1.0 - key_mask) * MASKED
        # Without a valid key the softmax is over all of them, and counts for nothing.
        any_valid = key_mask.amax(1)[:, None, None]
        if not self.folded:
            attended, weights = self._attend(queries, keys, masked, any_valid)
        elif queries.shape[1] > keys.shape[1]:
            attended, weights = self._long_queries(queries, keys, masked, any_valid)
        else:
            attended, weights = self._long_keys(queries, keys, masked, any_valid)
        return self.norm(queries + self.dropout(attended)), weights * key_mask[:, None]

    def _attend(
        self, queries: Tensor, keys: Tensor, masked: Tensor, any_valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        query = self._heads(self.query(queries))  # (B, heads, Q, size)
        key, value = self._pair(self.key_value(keys))
        logits = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + masked[:, None, None]
        weights = logits.softmax(-1)
        attended = (weights @ value).transpose(1, 2).flatten(2)
        return self.output(attended * any_valid), weights.mean(1)

    def _long_queries(
        self, queries: Tensor, keys: Tensor, masked: Tensor, any_valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        batch, count, hidden = queries.shape
        key, value = self._pair(self.key_value(keys))  # (B, heads, K, size)
        key = key * key.shape[-1] ** -0.5
        towards = (key @ self._by_head(self.query.weight)).flatten(1, 2)  # (B, heads * K, H)
        bias = key @ self.query.bias.reshape(self.heads, -1, 1) + masked[:, None, :, None]
        logits = queries @ towards.transpose(1, 2) + bias.reshape(batch, 1, -1)
        weights = logits.reshape(batch, count, self.heads, -1).softmax(-1)
        output = self.output.weight.reshape(hidden, self.heads, -1).permute(1, 2, 0)
        given = (value @ output).flatten(1, 2) * any_valid  # (B, heads * K, H)
        return weights.flatten(2) @ given + self.output.bias, weights.mean(2)

    def _long_keys(
        self, queries: Tensor, keys: Tensor, masked: Tensor, any_valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        batch, count, hidden = queries.shape
        query = self._heads(self.query(queries))  # (B, heads, Q, size)
        query = query * query.shape[-1] ** -0.5
        key_weight, value_weight = self.key_value.weight.chunk(2)
        looking = (query @ self._by_head(key_weight)).flatten(1, 2)  # (B, heads * Q, H)
        weights = (looking @ keys.transpose(1, 2) + masked[:, None]).softmax(-1)
        seen = (weights @ keys).reshape(batch, self.heads, count, hidden)
        value = seen @ self._by_head(value_weight).transpose(1, 2)
        value = value + self.key_value.bias[hidden:].reshape(self.heads, 1, -1)
        attended = self.output(value.transpose(1, 2).flatten(2) * any_valid)
        # Their mean as a product: a sum over an axis that is not the last is slow in a graph.
        mean = weights.new_full((1, self.heads), 1.0 / self.heads)
        mean_weights = mean @ weights.reshape(batch, self.heads, -1)
        return attended, mean_weights.reshape(batch, count, -1)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, N, H) to (B, heads, N, H / heads)."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def _pair(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, N, 2 * H) to two times (B, heads, N, H / heads)."""
        return x.reshape(*x.shape[:2], 2, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)

    def _by_head(self, weight: Tensor) -> Tensor:
        """Of a Linear's weight (H, H): what each head's outputs are made with, (heads, size, H)."""
        return weight.reshape(self.heads, -1, weight.shape[1])


class KeypointPooling(nn.Module):
    """Where in each image the learned heat maps lie: spatial softmax, one (x, y) per heat map.

    Attributes:
        folded: the means as one matrix product, for graphs that are exported.
    """

    folded = False
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
        if self.folded:
            points = (self.coordinates.T @ weights).flatten(2)
        else:  # sums: under autocast a matrix product would round to 8 bits, half a pixel
            x = (weights * self.coordinates[:, :1]).sum(2)
            y = (weights * self.coordinates[:, 1:]).sum(2)
            points = torch.cat((x, y), dim=2)
        return (points * camera_mask[:, :, None]).flatten(1)


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
