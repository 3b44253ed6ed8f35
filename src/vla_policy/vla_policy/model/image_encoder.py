"""Images to a grid of features: a ResNet shared by all cameras."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet50_Weights, resnet18, resnet50
from torchvision.models.resnet import BasicBlock

from vla_policy.model.model_configuration import ModelConfig

# ImageNet's statistics, so that torchvision's pretrained weights fit without a change.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
GROUPS = 8


def sinusoid_grid(height: int, width: int, channels: int) -> Tensor:
    """Two-dimensional sinusoidal position code, shape (height * width, channels).

    Half of the channels code the row and half the column; channels must be a multiple of 4.
    """
    half = channels // 2
    frequency = torch.exp(torch.arange(0, half, 2) * (-math.log(100.0) / half))
    parts = []
    for size in (height, width):
        # Positions in [0, pi]: the code does not depend on the number of cells.
        angle = torch.linspace(0.0, math.pi, size)[:, None] * frequency[None] * half / 4
        parts.append(torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1))
    rows = parts[0][:, None].expand(height, width, half)
    columns = parts[1][None].expand(height, width, half)
    return torch.cat((rows, columns), dim=-1).reshape(height * width, channels)


def _norm_layer(kind: str) -> type[nn.Module]:
    if kind == "batch":
        return nn.BatchNorm2d

    class Group(nn.GroupNorm):
        """GroupNorm that is constructed like BatchNorm2d."""

        def __init__(self, channels: int) -> None:
            super().__init__(math.gcd(GROUPS, channels), channels)

    return Group


class NarrowResNet18(nn.Module):
    """ResNet-18's topology with widths and strides of choice: (B, 3, h, w) to (B, C, h', w')."""

    def __init__(
        self, widths: tuple[int, ...], strides: tuple[int, ...], norm: type[nn.Module]
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False),
            norm(widths[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages, channels = [], widths[0]
        for width, stride in zip(widths, strides, strict=True):
            downsample = None
            if stride != 1 or width != channels:
                downsample = nn.Sequential(
                    nn.Conv2d(channels, width, 1, stride=stride, bias=False), norm(width)
                )
            stages.append(
                nn.Sequential(
                    BasicBlock(channels, width, stride, downsample, norm_layer=norm),  # type: ignore[arg-type]
                    BasicBlock(width, width, norm_layer=norm),  # type: ignore[arg-type]
                )
            )
            channels = width
        self.stages = nn.Sequential(*stages)
        self.channels = channels
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Features of normalised images."""
        return self.stages(self.stem(images))


def _torchvision(name: str, norm: type[nn.Module] = nn.BatchNorm2d) -> Any:
    return {"resnet18": resnet18, "resnet50": resnet50}[name](norm_layer=norm)


def _torchvision_backbone(name: str, norm: type[nn.Module]) -> tuple[nn.Module, int]:
    network = _torchvision(name, norm)
    channels = network.fc.in_features
    trunk = nn.Sequential(*list(network.children())[:-2])  # without pooling and classifier
    return trunk, channels


def load_pretrained(encoder: VisionEncoder, backbone: str) -> str:
    """Fill a resnet18 or resnet50 with torchvision's ImageNet weights where they can be had.

    Needs them in torch's cache, or the network. Batch normalisation only, which they come with.

    Returns:
        One line that says what was loaded, or that the backbone starts from scratch and why.
    """
    weights = {"resnet18": ResNet18_Weights, "resnet50": ResNet50_Weights}.get(backbone)
    if weights is None:
        return f"{backbone} starts from scratch: torchvision has no weights for it"
    try:
        state = weights.DEFAULT.get_state_dict(progress=False)
    except OSError as error:
        reason = " ".join(str(error).split())[:200]
        return f"{backbone} starts from scratch: its pretrained weights cannot be had ({reason})"
    # `_torchvision_backbone` keeps the children in order and drops their names.
    names = [name for name, _ in _torchvision(backbone).named_children()]
    trunk = {
        f"{names.index(key.split('.', 1)[0])}.{key.split('.', 1)[1]}": value
        for key, value in state.items()
        if not key.startswith("fc.")
    }
    try:
        encoder.backbone.load_state_dict(trunk)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        return f"{backbone} starts from scratch: the pretrained weights do not fit ({reason})"
    return f"{backbone} starts from torchvision's {weights.DEFAULT}"


class VisionEncoder(nn.Module):
    """N camera images to one sequence of spatial cells, and one pooled vector.

    Every camera goes through the same ResNet; a code of the position in the image and one of the
    camera is added to each cell. A masked camera's cells are zero, whatever its image holds.

    Attributes:
        folded: a masked camera's cells are not made zero, for graphs that are exported: what
            `VisionLanguageFusion` makes of them is zero.
    """

    folded = False
    scale: Tensor
    offset: Tensor
    positions: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        norm = _norm_layer(config.norm)
        if config.backbone == "narrow18":
            trunk: nn.Module = NarrowResNet18(config.stage_widths, config.stage_strides, norm)
            channels = config.stage_widths[-1]
        else:
            trunk, channels = _torchvision_backbone(config.backbone, norm)
        self.backbone = trunk
        mean, std = torch.tensor(MEAN), torch.tensor(STD)
        # One row of pixels, channels last, as the images are: three numbers along the last axis
        # would be the slow case of a broadcast in ONNX Runtime, a tenth of the model in 8 bits.
        self.register_buffer("scale", (1.0 / (255.0 * std)).repeat(config.width), persistent=False)
        self.register_buffer("offset", (-mean / std).repeat(config.width), persistent=False)
        self.grid = self._grid(config)
        self.project = nn.Linear(channels, config.hidden)
        self.register_buffer(
            "positions", sinusoid_grid(*self.grid, config.hidden), persistent=False
        )
        self.camera = nn.Parameter(0.02 * torch.randn(config.cameras, config.hidden))
        self.pooled_norm = nn.LayerNorm(config.hidden)

    def _grid(self, config: ModelConfig) -> tuple[int, int]:
        training = self.backbone.training
        with torch.no_grad():
            probe = self.backbone.eval()(torch.zeros(1, 3, config.height, config.width))
        self.backbone.train(training)
        return int(probe.shape[2]), int(probe.shape[3])

    @property
    def cells(self) -> int:
        """Cells of one camera."""
        return self.grid[0] * self.grid[1]

    def forward(self, images: Tensor, camera_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            images: (B, N, h, w, 3) rgb in 0..255, uint8 or float.
            camera_mask: (B, N), 1 where the camera is valid, else 0.

        Returns:
            cells (B, N * cells, hidden), rows first; pooled (B, hidden), over valid cameras.
        """
        batch, cameras, height, width, _ = images.shape
        rows = images.reshape(batch * cameras, height, width * 3).to(self.scale.dtype)
        x = (rows * self.scale + self.offset).reshape(batch * cameras, height, width, 3)
        features = self.backbone(x.permute(0, 3, 1, 2))
        # Channels last, as an 8-bit graph has them already, and a matrix, which is quantized.
        cells = self.project(features.permute(0, 2, 3, 1).flatten(0, 2))
        cells = cells.reshape(batch, cameras, self.cells, -1)
        cells = cells + (self.positions[None] + self.camera[:, None])  # one sum in a graph
        if not self.folded:
            cells = cells * camera_mask[:, :, None, None]
        valid = camera_mask.sum(1, keepdim=True).clamp(min=1.0)
        pooled = self.pooled_norm((cells.mean(2) * camera_mask[:, :, None]).sum(1) / valid)
        return cells.reshape(batch, cameras * self.cells, -1), pooled
