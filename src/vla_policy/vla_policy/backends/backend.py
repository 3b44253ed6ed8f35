"""What every inference backend does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens

Float32 = npt.NDArray[np.float32]


class BackendError(ValueError):
    """A backend that cannot be used or a model that does not fit; one line."""


@dataclass(frozen=True)
class BackendOptions:
    """What can be chosen of a backend; each uses what concerns it.

    threads: of one forward pass. providers: ONNX Runtime's. torch_mode: "eager" or "compiled".
    engine_folder: of TensorRT engines; empty: the user's. build_engines: whether ONNX Runtime's
    TensorRT provider may build them. constant_action: normalised, one number or one per dimension.
    constant_forward_time: s.
    """

    threads: int = 2
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    torch_mode: str = "eager"
    engine_folder: str = ""
    build_engines: bool = False
    constant_action: tuple[float, ...] = (0.0,)
    constant_forward_time: float = 0.0


@dataclass(frozen=True)
class LanguageFeatures:
    """What the language branch makes of a command, once.

    word_states: float32 (1, W, H). word_mask: float32 (1, W), 1 where there is a word.
    sentence: float32 (1, H).
    """

    word_states: Float32
    word_mask: Float32
    sentence: Float32


@dataclass(frozen=True)
class Inputs:
    """What changes from observation to observation.

    images: uint8 (1, N, h, w, 3), rgb. camera_mask: float32 (1, N), 1 where the image is valid.
    state: float32 (1, S), raw SI.
    """

    images: npt.NDArray[np.uint8]
    camera_mask: Float32
    state: Float32


@dataclass(frozen=True)
class Prediction:
    """A model's answer.

    actions: float32 (T, D), normalised to [-1, 1]. steps_logits: float32 (T + 1,), of the number
    of steps to the end of the task, T meaning T or more. confidence: 0 to 1, NaN: not given.
    """

    actions: Float32
    steps_logits: Float32
    confidence: float = math.nan


class Backend(Protocol):
    """Runs a checkpoint's model.

    Calls come from one thread at a time and return when the result is there.
    """

    name: str

    def load(self, checkpoint: Checkpoint) -> None:
        """Make the model ready; raises BackendError or CheckpointError where it does not fit."""

    def encode_language(self, tokens: Tokens) -> LanguageFeatures:
        """Run the language branch."""

    def forward(self, inputs: Inputs, language: LanguageFeatures) -> Prediction:
        """Run the rest of the model."""


@runtime_checkable
class ShowsAttention(Protocol):
    """A backend that can tell where the words look."""

    def attention(self, inputs: Inputs, language: LanguageFeatures) -> Float32:
        """float32 (W, N * cells), of each word over the cells of all cameras; a run of its own."""


@runtime_checkable
class ForwardsBatches(Protocol):
    """A backend whose model may take several observations in one forward pass.

    batches: whether the model that is loaded does.
    """

    batches: bool

    def forward_batch(self, inputs: Inputs, language: LanguageFeatures) -> list[Prediction]:
        """As `Backend.forward`, with B instead of 1 as the first size of everything."""


Stack = TypeVar("Stack", Inputs, LanguageFeatures)


def stacked(parts: Sequence[Stack]) -> Stack:
    """Several of batch 1 as one batch, in their order."""
    kind = type(parts[0])
    names = [field.name for field in fields(kind)]
    return kind(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def prediction(outputs: Mapping[str, Any], row: int = 0) -> Prediction:
    """A model's answer from its outputs by name, of one row of the batch.

    `confidence` may be missing.
    """
    confidence = outputs.get("confidence")
    return Prediction(
        outputs["actions"][row],
        outputs["steps_logits"][row],
        math.nan if confidence is None else float(np.asarray(confidence).reshape(-1)[row]),
    )


def predictions(outputs: Mapping[str, Any]) -> list[Prediction]:
    """As `prediction`, of every row of the batch."""
    return [prediction(outputs, row) for row in range(len(outputs["actions"]))]


def word_mask(tokens: Tokens) -> Float32:
    """float32 (1, W), 1 for the words of a command."""
    mask = np.zeros((1, tokens.ids.size), dtype=np.float32)
    mask[0, : tokens.count] = 1.0
    return mask
