"""What the network is made of; stored as `architecture` in a checkpoint's config.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

BACKBONES = ("narrow18", "resnet18", "resnet50")
NORMS = ("batch", "group")


class ModelConfigError(ValueError):
    """An architecture that cannot be built; the message names the entry and what is accepted."""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of every part of `VLAModel`.

    backbone: "narrow18" is ResNet-18's topology (torchvision BasicBlock, two per stage) with
    `stage_widths` and `stage_strides`; "resnet18" and "resnet50" are torchvision's own.
    cameras, height, width: of the images. state: entries of the proprioceptive state.
    vocabulary: words of the tokenizer, padding and unknown included. max_words: of a command.
    hidden: width of cells, words and everything fused. keypoints: learned heat maps per camera.
    steps: rows of a chunk. actions: dimensions of the action space; action_low, action_high:
    their ranges, SI (none: -1 to 1). confidence_hidden: width of the confidence head; 0: no head.
    """

    cameras: int
    vocabulary: int
    state: int = 4
    actions: int = 4
    steps: int = 32
    height: int = 96
    width: int = 96
    max_words: int = 16
    backbone: str = "resnet18"
    norm: str = "batch"
    stage_widths: tuple[int, ...] = (16, 32, 48, 64)
    stage_strides: tuple[int, ...] = (1, 2, 1, 1)
    embedding: int = 64
    language_hidden: int = 128
    hidden: int = 256
    heads: int = 8
    keypoints: int = 32
    fusion_hidden: int = 512
    planner_hidden: int = 256
    dropout: float = 0.1
    action_low: tuple[float, ...] = ()
    action_high: tuple[float, ...] = ()
    confidence_hidden: int = 0

    def __post_init__(self) -> None:
        for name in ("stage_widths", "stage_strides", "action_low", "action_high"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_choice("backbone", BACKBONES)
        self._check_choice("norm", NORMS)
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and (isinstance(value, bool) or not isinstance(value, int)):
                raise ModelConfigError(f"{field.name} is {value!r}; accepted: a whole number")
            least = 0 if field.name == "confidence_hidden" else 1
            if field.type == "int" and value < least:
                raise ModelConfigError(f"{field.name} is {value}; accepted: at least {least}")
        for name in ("stage_widths", "stage_strides"):
            values = getattr(self, name)
            if len(values) != 4 or any(not isinstance(v, int) or v < 1 for v in values):
                raise ModelConfigError(
                    f"{name} is {list(values)}; accepted: four whole numbers of at least 1"
                )
        if self.hidden % self.heads:
            raise ModelConfigError(
                f"hidden is {self.hidden}; accepted: a multiple of heads ({self.heads})"
            )
        if self.hidden % 4:
            raise ModelConfigError(f"hidden is {self.hidden}; accepted: a multiple of 4")
        if not 0.0 <= self.dropout < 1.0:
            raise ModelConfigError(f"dropout is {self.dropout}; accepted: from 0 to below 1")
        self._check_ranges()

    def _check_ranges(self) -> None:
        low, high = self.action_low, self.action_high
        if not low and not high:
            return
        if len(low) != self.actions or len(high) != self.actions:
            raise ModelConfigError(
                f"action_low has {len(low)} and action_high {len(high)} numbers; accepted: "
                f"{self.actions} each, one per action dimension"
            )
        for index, (least, most) in enumerate(zip(low, high, strict=True)):
            if not -float("inf") < least < most < float("inf"):
                raise ModelConfigError(
                    f"the range of action {index} is {least} to {most}; accepted: finite, rising"
                )

    def _check_choice(self, name: str, accepted: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in accepted:
            raise ModelConfigError(f"{name} is {value!r}; accepted: {', '.join(accepted)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML; inverse of `from_dict`."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> ModelConfig:
        """Build from the content of `architecture`; raises ModelConfigError."""
        accepted = [field.name for field in fields(ModelConfig)]
        unknown = [str(key) for key in data if key not in accepted]
        missing = [key for key in ("cameras", "vocabulary") if key not in data]
        if unknown or missing:
            parts = [f"has unknown {', '.join(unknown)}"] if unknown else []
            parts += [f"lacks {', '.join(missing)}"] if missing else []
            raise ModelConfigError(
                f"architecture {' and '.join(parts)}; accepted: {', '.join(accepted)}"
            )
        return ModelConfig(**data)
