"""OpenVINO, for Intel's graphics and neural processors; on a CPU ONNX Runtime is as fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino

from vla_policy.backends.backend import (
    BackendError,
    BackendOptions,
    Inputs,
    LanguageFeatures,
    Prediction,
    prediction,
    word_mask,
)
from vla_policy.checkpoint.checkpoint import LANGUAGE_ONNX, POLICY_ONNX, Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens

_LANGUAGE = (("tokens", "word_count"), ("word_states", "sentence"))
_POLICY = (
    ("images", "camera_mask", "state", "word_states", "word_mask", "sentence"),
    ("actions", "steps_logits"),
)
_OPTIONAL_OUTPUT = "confidence"


class OpenvinoBackend:
    """Runs language.onnx and policy.onnx on the first of Intel's devices: NPU, GPU, CPU."""

    name = "openvino"

    def __init__(self, options: BackendOptions) -> None:
        self._threads = options.threads
        self._core = openvino.Core()
        offered = self._core.available_devices
        self.device = next(
            (d for kind in ("NPU", "GPU", "CPU") for d in offered if d.startswith(kind)), "CPU"
        )

    def load(self, checkpoint: Checkpoint) -> None:
        """Compile both models; raises BackendError, CheckpointError."""
        self._language = self._compiled(checkpoint, LANGUAGE_ONNX, *_LANGUAGE)
        self._policy = self._compiled(checkpoint, POLICY_ONNX, *_POLICY)

    def encode_language(self, tokens: Tokens) -> LanguageFeatures:
        """Run language.onnx."""
        count = np.array([tokens.count], dtype=np.int64)
        found = self._language({"tokens": tokens.ids[np.newaxis], "word_count": count})
        return LanguageFeatures(found["word_states"], word_mask(tokens), found["sentence"])

    def forward(self, inputs: Inputs, language: LanguageFeatures) -> Prediction:
        """Run policy.onnx."""
        found = self._policy(
            {
                "images": inputs.images,
                "camera_mask": inputs.camera_mask,
                "state": inputs.state,
                "word_states": language.word_states,
                "word_mask": language.word_mask,
                "sentence": language.sentence,
            }
        )
        return prediction(found)

    def _compiled(
        self,
        checkpoint: Checkpoint,
        file: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
    ) -> _Graph:
        content = checkpoint.read(file)
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if self.device == "CPU":
            settings["INFERENCE_NUM_THREADS"] = str(self._threads)
        try:
            model = self._core.read_model(content)
            compiled = self._core.compile_model(model, self.device, settings)
        except RuntimeError as error:
            raise BackendError(
                f"checkpoint {checkpoint.folder}: {file} cannot be compiled for {self.device}: "
                f"{' '.join(str(error).split())[:300]}; accepted: an ONNX model"
            ) from error
        # An input that the graph does not use is none of the compiled model's.
        unknown = {port.any_name for port in compiled.inputs} - set(inputs)
        named = {name for port in compiled.outputs for name in port.get_names()}
        if unknown or not named >= set(outputs):
            raise BackendError(
                f"checkpoint {checkpoint.folder}: {file} has the inputs "
                f"{', '.join(port.any_name for port in compiled.inputs)} and the outputs "
                f"{', '.join(sorted(named))}; accepted: {', '.join(inputs)} and "
                f"{', '.join(outputs)}"
            )
        return _Graph(compiled, (*outputs, _OPTIONAL_OUTPUT))


class _Graph:
    """A compiled model: arrays by name → arrays by name, copied."""

    def __init__(self, compiled: Any, outputs: tuple[str, ...]) -> None:
        self._request = compiled.create_infer_request()
        self._inputs = {port.any_name for port in compiled.inputs}
        self._outputs = {
            name: port for port in compiled.outputs for name in port.get_names() if name in outputs
        }

    def __call__(self, feed: Mapping[str, Any]) -> dict[str, Any]:
        results = self._request.infer({n: feed[n] for n in self._inputs})
        return {name: np.array(results[port]) for name, port in self._outputs.items()}
