"""Random batches of training frames, with augmentation. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_learning.data.dataset import Frames
from vla_learning.learning_settings import TrainSettings
from vla_policy.checkpoint.tokenizer import PADDING, UNKNOWN

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """B augmented frames; images float32 in 0..255, the rest as in `Frames`."""

    images: Float
    camera_mask: Float
    state: Float
    tokens: npt.NDArray[np.int64]
    word_count: npt.NDArray[np.int64]
    actions: Float
    row_mask: Float
    steps_left: npt.NDArray[np.int64]
    landmarks: Float


class Sampler:
    """Random batches, the same for the same seed and step whatever was drawn before.

    tokens: for every task, an array (wordings, W) and one of word counts (wordings,).
    """

    def __init__(
        self,
        frames: Frames,
        tokens: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]],
        settings: TrainSettings,
    ) -> None:
        self._frames = frames
        self._tokens = tokens
        self._settings = settings
        self._state_mean = frames.state.mean(0)

    @property
    def count(self) -> int:
        """Number of frames that batches are drawn from."""
        return self._frames.count

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """Draw the batch of a step: shuffled epochs, so that every frame is seen equally often.

        rank, ranks: which of how many equal shares of the batch to draw.
        """
        s = self._settings
        per_epoch = self._frames.count // s.batch_size
        epoch, position = divmod(step, per_epoch)
        order = np.random.default_rng([s.seed, epoch]).permutation(self._frames.count)
        index = order[position * s.batch_size : (position + 1) * s.batch_size][rank::ranks]
        rng = np.random.default_rng([s.seed, step, rank])
        images = shift(self._frames.images[index], s.shift_pixels, rng)
        words = [self._wording(int(task), rng) for task in self._frames.task[index]]
        return Batch(
            images=colour(images, s.brightness, s.contrast, rng),
            camera_mask=self._camera_mask(images.shape[:2], rng),
            state=self._state(index, rng),
            tokens=np.stack([w[0] for w in words]),
            word_count=np.array([w[1] for w in words], np.int64),
            actions=self._frames.actions[index],
            row_mask=self._frames.row_mask[index],
            steps_left=self._frames.steps_left[index],
            landmarks=self._frames.landmarks[index],
        )

    def _wording(
        self, task: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], np.int64]:
        tokens, counts = self._tokens[task]
        choice = int(rng.integers(len(tokens)))
        lost = rng.random(tokens.shape[1]) < self._settings.word_dropout
        words = np.where(lost & (tokens[choice] != PADDING), UNKNOWN, tokens[choice])
        return words, counts[choice]

    def _camera_mask(self, shape: tuple[int, ...], rng: np.random.Generator) -> Float:
        batch, cameras = shape
        mask = np.ones((batch, cameras), np.float32)
        if cameras > 1:
            dropped = rng.random(batch) < self._settings.camera_dropout
            mask[np.arange(batch)[dropped], rng.integers(cameras, size=batch)[dropped]] = 0.0
        return mask

    def _state(self, index: npt.NDArray[np.int64], rng: np.random.Generator) -> Float:
        clean = self._frames.state[index]
        noise = rng.normal(0.0, 1.0, clean.shape) * np.array(self._settings.state_noise)
        dropped = rng.random((len(index), 1)) < self._settings.state_dropout
        return np.where(dropped, self._state_mean, clean + noise).astype(np.float32)


def shift(
    images: npt.NDArray[np.uint8], pixels: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Move every image (B, N, h, w, 3) by up to `pixels`, its border repeated."""
    if pixels == 0:
        return images
    batch, cameras, height, width, _ = images.shape
    offsets = rng.integers(-pixels, pixels + 1, size=(batch, cameras, 2))
    result = np.empty_like(images)
    for b in range(batch):
        for n in range(cameras):
            rows = np.clip(np.arange(height) + offsets[b, n, 0], 0, height - 1)
            columns = np.clip(np.arange(width) + offsets[b, n, 1], 0, width - 1)
            result[b, n] = images[b, n][rows][:, columns]
    return result


def colour(
    images: npt.NDArray[np.uint8], brightness: float, contrast: float, rng: np.random.Generator
) -> Float:
    """Scale brightness and contrast of every image, each colour channel a little differently."""
    shape = (*images.shape[:2], 1, 1, 1)
    gain = rng.uniform(1 - brightness, 1 + brightness, shape)
    gain = gain * rng.uniform(0.95, 1.05, (*images.shape[:2], 1, 1, 3))
    stretch = rng.uniform(1 - contrast, 1 + contrast, shape)
    x = images.astype(np.float32)
    mean = x.mean(axis=(2, 3, 4), keepdims=True)
    x -= mean
    x *= (gain * stretch).astype(np.float32)
    x += mean * gain.astype(np.float32)
    return np.clip(x, 0.0, 255.0, out=x)
