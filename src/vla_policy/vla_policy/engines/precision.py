"""A network in half precision where that is safe: convolutions, linear and recurrent layers.

Recent releases of TensorRT take every type from the graph, so the graph itself says where half is
used. Norms, softmaxes, positions and the robot's state stay in single precision.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vla_policy.engines.recurrence import UnrolledLSTM

_LAYERS = (nn.Linear, nn.Conv2d, UnrolledLSTM)


class InHalf(nn.Module):
    """A module in half precision that takes and gives single precision."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.half()

    def forward(self, x: Tensor) -> Any:
        """What the module makes of x."""
        return _single(self.module(x.to(torch.float16)))


def _single(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to(torch.float32)
    return tuple(_single(part) for part in value) if isinstance(value, tuple) else value


def in_half(module: nn.Module, whole: tuple[str, ...] = ("backbone",)) -> nn.Module:
    """Put the layers of a module in half precision, in place.

    whole: names of children that are in half as one, with their norms between convolutions.
    """
    for name, child in list(module.named_children()):
        if name in whole or isinstance(child, _LAYERS):
            setattr(module, name, InHalf(child))
        else:
            in_half(child, whole)
    return module
