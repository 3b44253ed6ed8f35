"""Recurrent layers as plain operators, step after step: TensorRT has no LSTM of PyTorch's."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Module = TypeVar("Module", bound=nn.Module)


class UnrolledLSTM(nn.Module):
    """An `nn.LSTM` with its own weights that is a loop over the steps, all known when it is traced.

    Starts from a state of zeros, as the policy's do, and has no dropout.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.bidirectional or lstm.proj_size or not lstm.batch_first or not lstm.bias:
            raise ValueError(
                "an LSTM is bidirectional, projected, without bias or not batch_first; accepted: "
                "batch_first, forwards only, with bias"
            )
        self.hidden = lstm.hidden_size
        self.layers = lstm.num_layers
        for name, parameter in lstm.named_parameters():
            self.register_buffer(name, parameter.detach().clone())

    def forward(self, inputs: Tensor) -> tuple[Tensor, None]:
        """(B, T, I) to (B, T, H); the last states, which `nn.LSTM` gives too, are not kept."""
        steps = inputs
        for layer in range(self.layers):
            steps = self._layer(steps, layer)
        return steps, None

    def _layer(self, inputs: Tensor, layer: int) -> Tensor:
        weights = {
            part: getattr(self, f"{part}_l{layer}")
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        # What comes from the inputs is one product for all steps.
        bias = weights["bias_ih"] + weights["bias_hh"]
        driven = functional.linear(inputs, weights["weight_ih"], bias)
        output = torch.zeros_like(driven[:, 0, : self.hidden])
        cell = output
        outputs = []
        for step in range(inputs.shape[1]):
            gates = driven[:, step] + functional.linear(output, weights["weight_hh"])
            enter, forget, candidate, leave = gates.chunk(4, dim=1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
            output = leave.sigmoid() * cell.tanh()
            outputs.append(output)
        return torch.stack(outputs, dim=1)


def unrolled(module: Module) -> Module:
    """A copy of a module in eval mode whose LSTMs are unrolled; raises ValueError."""
    result = copy.deepcopy(module).eval()
    for parent in list(result.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.LSTM):
                setattr(parent, name, UnrolledLSTM(child))
    return result
