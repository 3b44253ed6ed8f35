"""Which of a checkpoint's tasks a sentence asks for, in sixteen languages. Free of ROS.

The file `intents.safetensors` of a checkpoint, which `./vla learn intents` writes: two layers on
the features of `sentence_features`. It tells the kind of task, or that it is none, and the values
of its slots; the confidence is the product of their probabilities.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_contract.language import sentence_features

FORMAT = 1
FILE = "intents.safetensors"
TENSORS = ("w1", "b1", "w2", "b2")  # `IntentModel.weights`; the rest is JSON in the metadata
REFUSED = ""
# Slot → how many values it has, in the order of the network's outputs behind the kinds.
HEADS = {"block": 3, "side": 2, "below": 3}
_VALUES = {"block": ("red", "green", "blue"), "side": ("left", "right"),
           "below": ("red", "green", "blue")}  # fmt: skip
Array = npt.NDArray[Any]


class IntentError(ValueError):
    """A file that cannot be used; one line with what is accepted."""


@dataclass(frozen=True)
class Reading:
    """What a sentence is taken for.

    task: REFUSED, or a task's name. confidence: from 0 to 1. is_sure: it may be acted on; else
    `task` is a guess to ask about.
    """

    task: str
    confidence: float
    is_sure: bool


@dataclass(frozen=True)
class IntentModel:
    """kinds: kind → its task's name with slots, in the order of the outputs.

    weights: (hidden, features), (hidden,), (outputs, hidden), (outputs,). encoder: version of the
    sentence encoder with which it was trained.
    """

    kinds: Mapping[str, str]
    weights: tuple[Array, ...]
    threshold: float
    encoder: str

    @staticmethod
    def load(path: Path) -> IntentModel:
        """Read a file.

        Raises:
            IntentError: it is not there, of another format, or for another encoder.
        """
        try:
            from safetensors import SafetensorError, safe_open
        except ModuleNotFoundError as error:
            raise IntentError(f"{path} needs safetensors; accepted: pip install it") from error
        try:
            with safe_open(path, framework="numpy") as file:
                about = json.loads((file.metadata() or {}).get("about", "{}"))
                weights = tuple(file.get_tensor(name).astype(np.float32) for name in TENSORS)
        except (OSError, ValueError, SafetensorError) as error:
            raise IntentError(f"{path}: {' '.join(str(error).split())}") from error
        outputs = len(about.get("kinds", ())) + 1 + sum(HEADS.values())
        shapes = [part.shape for part in weights]
        hidden = len(weights[1])
        wanted = [(hidden, sentence_features.WIDTH), (hidden,), (outputs, hidden), (outputs,)]
        if about.get("format") != FORMAT or shapes != wanted:
            raise IntentError(f"{path}: shapes {shapes}; accepted: {wanted}, of format {FORMAT}")
        installed = sentence_features.encoder_version()
        if installed != about.get("encoder"):
            has = f"version {installed} is installed" if installed else "it is not installed"
            raise IntentError(
                f"{path} needs {sentence_features.PACKAGE} {about.get('encoder')}, and {has}"
            )
        return IntentModel(about["kinds"], weights, about["threshold"], about["encoder"])

    def with_threshold(self, threshold: float) -> IntentModel:
        """The same with another confidence from which on it is sure."""
        return replace(self, threshold=threshold)

    def read(self, sentences: Sequence[str]) -> list[Reading]:
        """What each of the sentences asks for."""
        w1, b1, w2, b2 = (part.astype(np.float32) for part in self.weights)
        x = sentence_features.features(sentences) @ w1.T + b1
        hidden = 0.5 * x * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))  # GELU
        output = hidden @ w2.T + b2
        sizes = [len(self.kinds) + 1, *HEADS.values()]
        parts = np.split(output, np.cumsum(sizes)[:-1], axis=1)
        return [self._reading(row) for row in zip(*map(_softmax, parts), strict=True)]

    def _reading(self, parts: tuple[Array, ...]) -> Reading:
        kind = int(parts[0].argmax())
        confidence = float(parts[0][kind])
        if kind == len(self.kinds):
            return Reading(REFUSED, confidence, False)
        name, values = list(self.kinds.values())[kind], {}
        for (slot, choices), part in zip(_VALUES.items(), parts[1:], strict=True):
            if "{" + slot + "}" in name:
                best = int(part.argmax())
                values[slot] = choices[best]
                confidence *= float(part[best])
        return Reading(name.format(**values), confidence, confidence > self.threshold)


def task_names(name: str, values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The tasks that a name with slots stands for."""
    slots = [slot for slot in values if "{" + slot + "}" in name]
    for chosen in itertools.product(*(values[slot] for slot in slots)):
        yield name.format(**dict(zip(slots, chosen, strict=True)))


def _softmax(x: Array) -> Array:
    grown = np.exp(x - x.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True))
