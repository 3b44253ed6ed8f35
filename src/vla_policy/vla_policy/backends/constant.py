"""No model: the same action for every observation. For tests and for measuring the graph."""

from __future__ import annotations

import threading

import numpy as np

from vla_policy.backends.backend import (
    BackendError,
    BackendOptions,
    Inputs,
    LanguageFeatures,
    Prediction,
    word_mask,
)
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens


class ConstantBackend:
    """Gives `constant_action` for every row, never done, after `constant_forward_time`."""

    name = "constant"

    def __init__(self, options: BackendOptions) -> None:
        self._action = options.constant_action
        self._forward_time = options.constant_forward_time
        self._event_that_never_comes = threading.Event()

    def load(self, checkpoint: Checkpoint) -> None:
        """Prepare the answer; raises BackendError where constant_action has a wrong width."""
        space = checkpoint.action_space
        if len(self._action) not in (1, space.width):
            raise BackendError(
                f"constant_action has {len(self._action)} numbers; accepted: 1, or {space.width} "
                f"({', '.join(space.dimension_names)})"
            )
        actions = np.empty((space.chunk_length, space.width), dtype=np.float32)
        actions[:] = np.array(self._action, dtype=np.float32)
        logits = np.zeros(space.chunk_length + 1, dtype=np.float32)
        logits[-1] = 20.0
        self._prediction = Prediction(actions, logits)

    def encode_language(self, tokens: Tokens) -> LanguageFeatures:
        """Nothing, in the right shapes."""
        words = tokens.ids.size
        empty = np.zeros((1, words, 1), dtype=np.float32)
        return LanguageFeatures(empty, word_mask(tokens), empty[:, 0])

    def forward(self, inputs: Inputs, language: LanguageFeatures) -> Prediction:
        """The answer, always the same."""
        if self._forward_time:
            self._event_that_never_comes.wait(self._forward_time)
        return self._prediction
