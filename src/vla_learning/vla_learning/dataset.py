"""Demonstrations as training frames: labels, and batches with augmentation. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_learning.demonstrations import (
    Demonstration,
    DemonstrationError,
    check_available,
    find_demonstrations,
)
from vla_learning.settings import Settings, TrainSettings
from vla_policy.tokenizer import PADDING, UNKNOWN

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Frames:
    """F training frames.

    images (F, N, h, w, 3) uint8; state (F, S) SI; task (F,) index into the tasks;
    actions (F, T, D) normalised, clipped to [-1, 1]; row_mask (F, T), 0 beyond the recording;
    steps_left (F,) int64, 0..T.
    """

    images: npt.NDArray[np.uint8]
    state: Float
    task: npt.NDArray[np.int64]
    actions: Float
    row_mask: Float
    steps_left: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of frames."""
        return int(self.images.shape[0])


def label(
    demonstration: Demonstration, tick: int, space: ActionSpace, done_delay: int
) -> tuple[Float, Float, int]:
    """Label of the frame at a tick.

    Returns:
        actions (T, D): the expert's requests of this tick and the following ones, normalised;
        row_mask (T,); steps left to `done_delay` ticks after success, at most T.
    """
    rows = space.chunk_length
    asked = demonstration.requested[tick : tick + rows]
    actions = np.zeros((rows, space.width), np.float32)
    actions[: len(asked)] = np.clip(space.to_normalised(asked), -1.0, 1.0)
    mask = (np.arange(rows) < len(asked)).astype(np.float32)
    left = demonstration.success_tick + done_delay - tick
    return actions, mask, int(np.clip(left, 0, rows))


def load_frames(folder: Path, settings: Settings, space: ActionSpace) -> Frames:
    """Read all demonstrations of the config's tasks; raises DemonstrationError if one has none."""
    check_available(folder, settings)
    columns: list[list[npt.NDArray]] = [[] for _ in range(6)]
    for index, task in enumerate(settings.tasks):
        for path in find_demonstrations(folder, task)[: settings.collect.episodes]:
            demonstration = Demonstration.load(path)
            _check(demonstration, settings, path)
            ticks = demonstration.image_ticks[demonstration.image_ticks < demonstration.length]
            labels = [label(demonstration, int(t), space, settings.train.done_delay) for t in ticks]
            columns[0].append(demonstration.images[: len(ticks)])
            columns[1].append(demonstration.state[ticks])
            columns[2].append(np.full(len(ticks), index, np.int64))
            columns[3].append(np.stack([x[0] for x in labels]))
            columns[4].append(np.stack([x[1] for x in labels]))
            columns[5].append(np.array([x[2] for x in labels], np.int64))
    return Frames(*(np.concatenate(column) for column in columns))


def _check(demonstration: Demonstration, settings: Settings, path: Path) -> None:
    expected = (len(settings.cameras), settings.height, settings.width, 3)
    if demonstration.images.shape[1:] != expected:
        raise DemonstrationError(
            f"demonstration {path}: images are {demonstration.images.shape[1:]}; the config "
            f"asks for {expected}"
        )
    if demonstration.state.shape[1] != len(settings.state_names):
        raise DemonstrationError(
            f"demonstration {path}: {demonstration.state.shape[1]} state entries; the config "
            f"names {len(settings.state_names)}"
        )


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
