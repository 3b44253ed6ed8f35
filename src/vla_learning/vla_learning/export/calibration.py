"""Inputs by which a graph is quantized: training frames, each with a wording of its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from vla_policy.backends import Backend
from vla_policy.checkpoint.checkpoint import Checkpoint

Feed = dict[str, npt.NDArray]


class Frames(Protocol):
    """What is used of `vla_learning.data.dataset.Frames`."""

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """(F, N, h, w, 3)."""

    @property
    def state(self) -> npt.NDArray[np.float32]:
        """(F, S)."""

    @property
    def task(self) -> npt.NDArray[np.int64]:
        """(F,), index into the tasks."""


def calibration_feeds(
    frames: Frames,
    tasks: Sequence[str],
    checkpoint: Checkpoint,
    backend: Backend,
    count: int,
    *,
    seed: int = 0,
    masked: float = 0.1,
) -> list[Feed]:
    """Inputs of policy.onnx for `count` frames, as many of each task as of every other.

    tasks: names of `frames.task`. masked: share of the frames in which one camera is taken away,
    as in training. The same for the same seed.
    """
    rng = np.random.default_rng(seed)
    chosen = _balanced(frames.task, count, rng)
    cameras = frames.images.shape[1]
    feeds = []
    for index in chosen:
        mask = np.ones((1, cameras), np.float32)
        if cameras > 1 and rng.random() < masked:
            mask[0, rng.integers(cameras)] = 0.0
        words = _wording(checkpoint.commands, tasks[int(frames.task[index])], rng)
        language = backend.encode_language(checkpoint.tokenizer.encode(words))
        images = np.asarray(frames.images[index])[np.newaxis]
        feeds.append(
            {
                "images": images * mask.astype(np.uint8)[:, :, None, None, None],
                "camera_mask": mask,
                "state": frames.state[index][np.newaxis].astype(np.float32),
                "word_states": language.word_states,
                "word_mask": language.word_mask,
                "sentence": language.sentence,
            }
        )
    return feeds


def _balanced(
    task: npt.NDArray[np.int64], count: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Indices in random order: of every task the same number, or all that it has."""
    kinds = np.unique(task)
    share = -(-count // len(kinds))
    picked = [rng.permutation(np.flatnonzero(task == kind))[:share] for kind in kinds]
    return rng.permutation(np.concatenate(picked))[:count]


def _wording(commands: Mapping[str, Sequence[str]], task: str, rng: np.random.Generator) -> str:
    wordings = commands[task]
    return wordings[int(rng.integers(len(wordings)))]
