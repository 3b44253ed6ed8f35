"""TensorRT engines on an NVIDIA GPU, built beforehand by `./vla build-engine`."""

from __future__ import annotations

import numpy as np
import torch

from vla_policy.backends.backend import (
    BackendError,
    BackendOptions,
    Inputs,
    LanguageFeatures,
    Prediction,
    prediction,
    word_mask,
)
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens
from vla_policy.engines import engine_cache, gpu_machine
from vla_policy.engines.engine_runner import EngineRunner


class TensorrtBackend:
    """Runs the two engines that fit the checkpoint, the GPU and the installed TensorRT."""

    name = "tensorrt"

    def __init__(self, options: BackendOptions) -> None:
        self._folder = options.engine_folder

    def load(self, checkpoint: Checkpoint) -> None:
        """Read the engines; raises BackendError, at once, where one is missing: none is built."""
        gpu_machine.require_gpu(checkpoint)
        tensorrt = gpu_machine.require_tensorrt()
        key = gpu_machine.key_of(checkpoint, tensorrt)
        stored = engine_cache.load(
            engine_cache.root_folder(self._folder), key, gpu_machine.build_command(checkpoint)
        )
        device = torch.device("cuda")
        try:
            self._language, self._policy = (
                EngineRunner(tensorrt, stored[name], device) for name in engine_cache.NAMES
            )
        except BackendError as error:
            raise BackendError(f"engine {key}: {error}") from error

    def encode_language(self, tokens: Tokens) -> LanguageFeatures:
        """Run the language engine."""
        found = self._language(
            {
                "tokens": tokens.ids[np.newaxis].astype(np.int32),
                "word_count": np.array([tokens.count], dtype=np.int32),
            }
        )
        return LanguageFeatures(found["word_states"], word_mask(tokens), found["sentence"])

    def forward(self, inputs: Inputs, language: LanguageFeatures) -> Prediction:
        """Run the policy engine."""
        found = self._policy(
            {
                "images": inputs.images.astype(np.float32),
                "camera_mask": inputs.camera_mask,
                "state": inputs.state,
                "word_states": language.word_states,
                "word_mask": language.word_mask,
                "sentence": language.sentence,
            }
        )
        return prediction(found)
