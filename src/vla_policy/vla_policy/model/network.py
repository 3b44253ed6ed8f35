"""The whole policy, and the two graphs that it is exported as."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vla_policy.model.confidence_head import Confidence
from vla_policy.model.fusion import CrossModalAttention, KeypointPooling, VisionLanguageFusion
from vla_policy.model.image_encoder import VisionEncoder
from vla_policy.model.language_encoder import LanguageEncoder
from vla_policy.model.model_configuration import ModelConfig
from vla_policy.model.planner import Planner


class PolicyOutput(NamedTuple):
    """What the network makes of a batch, and `policy.onnx` gives under these names.

    actions (B, T, D) in [-1, 1]. steps_logits (B, T + 1). attention (B, W, N * cells), of each
    word over the cells. confidence (B,) in 0..1, NaN where the network has no such head.
    """

    actions: Tensor
    steps_logits: Tensor
    attention: Tensor
    confidence: Tensor


class VLAModel(nn.Module):
    """Images, a command and the robot's state to a chunk of actions.

    State normalisation is part of the model (`state_mean`, `state_std` buffers, in the state's
    own units), so that it travels with the weights and into the exported graph.
    """

    state_mean: Tensor
    state_std: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.vision = VisionEncoder(config)
        self.language = LanguageEncoder(config)
        self.fusion = VisionLanguageFusion(config, self.vision.grid)
        self.planner = Planner(config)
        self.confidence = Confidence(config) if config.confidence_hidden else None
        self.register_buffer("state_mean", torch.zeros(config.state))
        self.register_buffer("state_std", torch.ones(config.state))

    def fuse(
        self,
        images: Tensor,
        camera_mask: Tensor,
        state: Tensor,
        word_states: Tensor,
        word_mask: Tensor,
        sentence: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The vector that everything is decided from, (B, fusion_hidden), and the attention.

        images (B, N, h, w, 3) 0..255; camera_mask (B, N); state (B, S) in SI units; the last three
        are what the language branch gives.
        """
        cells, pooled = self.vision(images, camera_mask)
        normalised = (state - self.state_mean) / self.state_std
        return self.fusion(cells, pooled, camera_mask, word_states, word_mask, sentence, normalised)

    def decide(self, fused: Tensor, attention: Tensor) -> PolicyOutput:
        """Everything after `fuse`."""
        plan = self.planner(fused)
        if self.confidence is None:
            confidence = fused[:, 0] * float("nan")
        else:
            confidence = self.confidence(fused, plan.steps_logits)
        return PolicyOutput(plan.actions, plan.steps_logits, attention, confidence)

    def act(
        self,
        images: Tensor,
        camera_mask: Tensor,
        state: Tensor,
        word_states: Tensor,
        word_mask: Tensor,
        sentence: Tensor,
    ) -> PolicyOutput:
        """Everything but the language branch; arguments as for `fuse`."""
        fused, attention = self.fuse(images, camera_mask, state, word_states, word_mask, sentence)
        return self.decide(fused, attention)

    def words(self, tokens: Tensor, word_count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The language branch: word_states (B, W, H), word_mask (B, W), sentence (B, H)."""
        word_states, sentence = self.language(tokens, word_count)
        positions = torch.arange(tokens.shape[1], device=tokens.device)[None]
        return word_states, (positions < word_count[:, None]).to(word_states.dtype), sentence

    def forward(
        self, images: Tensor, camera_mask: Tensor, state: Tensor, tokens: Tensor, word_count: Tensor
    ) -> PolicyOutput:
        """Run both branches; tokens (B, W) int64, word_count (B,) int64."""
        return self.act(images, camera_mask, state, *self.words(tokens, word_count))


class LanguageGraph(nn.Module):
    """What becomes language.onnx: (tokens, word_count) to (word_states, sentence)."""

    def __init__(self, model: VLAModel) -> None:
        super().__init__()
        self.language = model.language

    def forward(self, tokens: Tensor, word_count: Tensor) -> tuple[Tensor, Tensor]:
        """As `LanguageEncoder.forward`."""
        return self.language(tokens, word_count)


class PolicyGraph(nn.Module):
    """What becomes policy.onnx; arguments and results as `VLAModel.act`, all parts folded."""

    def __init__(self, model: VLAModel) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)
        for module in self.model.modules():
            if isinstance(module, (CrossModalAttention, KeypointPooling, VisionEncoder)):
                module.folded = True

    def forward(
        self,
        images: Tensor,
        camera_mask: Tensor,
        state: Tensor,
        word_states: Tensor,
        word_mask: Tensor,
        sentence: Tensor,
    ) -> PolicyOutput:
        """As `VLAModel.act`."""
        return self.model.act(images, camera_mask, state, word_states, word_mask, sentence)
