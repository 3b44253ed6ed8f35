"""Inputs of a model for measuring and looking: what it sees in episodes, or noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vla_policy.backends import Backend, Inputs, LanguageFeatures, Prediction
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.tokenizer import Tokens


def random_frames(checkpoint: Checkpoint, count: int, seed: int = 0) -> list[Inputs]:
    """Noise: takes as long as pictures, but says little of differences."""
    rng = np.random.default_rng(seed)
    cameras = len(checkpoint.cameras)
    shape = (1, cameras, checkpoint.image_height, checkpoint.image_width, 3)
    return [
        Inputs(
            rng.integers(0, 256, shape, dtype=np.uint8),
            np.ones((1, cameras), np.float32),
            np.zeros((1, len(checkpoint.state_names)), np.float32),
        )
        for _ in range(count)
    ]


class Recorder:
    """A backend that keeps every fifth of its inputs."""

    def __init__(self, inner: Backend) -> None:
        self.name = inner.name
        self.frames: list[Inputs] = []
        self._inner = inner
        self._calls = 0

    def load(self, checkpoint: Checkpoint) -> None:
        """Of the inner backend."""
        self._inner.load(checkpoint)

    def encode_language(self, tokens: Tokens) -> LanguageFeatures:
        """Of the inner backend."""
        return self._inner.encode_language(tokens)

    def forward(self, inputs: Inputs, language: LanguageFeatures) -> Prediction:
        """Of the inner backend."""
        if self._calls % 5 == 0:
            self.frames.append(inputs)
        self._calls += 1
        return self._inner.forward(inputs, language)


def seen_frames(folder: Path, tasks: Sequence[str], seed: int, count: int) -> list[Inputs]:
    """What a checkpoint sees while it does one episode of each task; `count` of it."""
    from vla_learning.evaluate.closed_loop import EvaluationSettings, Evaluator

    evaluator = Evaluator.load(folder, EvaluationSettings())
    recorder = Recorder(evaluator.backend)
    evaluator.backend = recorder
    for task in tasks:
        evaluator.episode(task, seed, evaluator.checkpoint.commands[task][0])
    evaluator.close()
    order = np.random.default_rng(seed).permutation(len(recorder.frames))
    return [recorder.frames[i] for i in order[:count]]
