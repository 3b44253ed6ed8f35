"""The two graphs that become engines: of static shape, with inputs that TensorRT takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram, export

from vla_policy.engines.precision import in_half
from vla_policy.engines.recurrence import unrolled
from vla_policy.model import LanguageGraph, PolicyOutput, VLAModel

LANGUAGE = "language"
POLICY = "policy"
KEPT = ("actions", "steps_logits", "confidence")  # of `PolicyOutput`; attention is for pictures


@dataclass(frozen=True)
class EngineGraph:
    """What one engine is built of.

    inputs: names of `example`'s tensors, batch 1. outputs: names of what the program gives.
    """

    name: str
    program: ExportedProgram
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class _LanguageEngine(nn.Module):
    """tokens int32 (1, W), word_count int32 (1,) to word_states and sentence."""

    def __init__(self, model: VLAModel) -> None:
        super().__init__()
        self.whole = LanguageGraph(model)

    def forward(self, tokens: Tensor, word_count: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.whole(tokens, word_count))


class _PolicyEngine(nn.Module):
    """As `VLAModel.act`, images as float32: TensorRT takes uint8, but cannot reshape it.

    Attention as it is written in papers, which TensorRT knows; each layer may be in half precision.
    """

    names = PolicyOutput._fields

    def __init__(self, model: VLAModel) -> None:
        super().__init__()
        self.whole = model

    def forward(
        self,
        images: Tensor,
        camera_mask: Tensor,
        state: Tensor,
        word_states: Tensor,
        word_mask: Tensor,
        sentence: Tensor,
    ) -> tuple[Tensor, ...]:
        output = self.whole.act(images, camera_mask, state, word_states, word_mask, sentence)
        return tuple(value for name, value in zip(self.names, output, strict=True) if name in KEPT)


def export_engines(model: VLAModel, *, half: bool) -> tuple[EngineGraph, EngineGraph]:
    """Both graphs of a model with their recurrences unrolled, on its device; raises ValueError."""
    plain = unrolled(model)
    if half:
        in_half(plain)
    return _language(plain), _policy(plain)


def _language(model: VLAModel) -> EngineGraph:
    c = model.config
    tokens = (torch.arange(c.max_words, dtype=torch.int32) % c.vocabulary)[None]
    example = _on_device(model, tokens, torch.tensor([c.max_words], dtype=torch.int32))
    program = _export(_LanguageEngine(model), example)
    return EngineGraph(
        LANGUAGE, program, example, ("tokens", "word_count"), ("word_states", "sentence")
    )


def _policy(model: VLAModel) -> EngineGraph:
    c = model.config
    example = _on_device(
        model,
        torch.zeros(1, c.cameras, c.height, c.width, 3),
        torch.ones(1, c.cameras),
        torch.zeros(1, c.state),
        torch.zeros(1, c.max_words, c.hidden),
        torch.ones(1, c.max_words),
        torch.zeros(1, c.hidden),
    )
    program = _export(_PolicyEngine(model), example)
    names = ("images", "camera_mask", "state", "word_states", "word_mask", "sentence")
    outputs = tuple(name for name in PolicyOutput._fields if name in KEPT)
    return EngineGraph(POLICY, program, example, names, outputs)


def _export(graph: nn.Module, example: tuple[Tensor, ...]) -> ExportedProgram:
    with torch.no_grad():
        return export(graph.eval(), example)


def _on_device(model: VLAModel, *tensors: Tensor) -> tuple[Tensor, ...]:
    device = next(model.parameters()).device
    return tuple(tensor.to(device) for tensor in tensors)
