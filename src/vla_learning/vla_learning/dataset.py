"""A dataset as training frames: labels, and batches with augmentation. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_learning.dataset_fit import check_values
from vla_learning.frame_cache import Progress, cached_images
from vla_learning.settings import Settings, TrainSettings
from vla_learning.tracks import Track, Tracks
from vla_policy.tokenizer import PADDING, UNKNOWN

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Frames:
    """F training frames.

    images (F, N, h, w, 3) uint8, on disk; state (F, S) SI; task (F,) index into the tasks;
    actions (F, T, D) normalised, clipped to [-1, 1]; row_mask (F, T), 0 beyond the recording;
    steps_left (F,) int64, 0..T; episode (F,) counts those read; landmarks (F, K), m, K 0 where the
    dataset has none.
    """

    images: npt.NDArray[np.uint8]
    state: Float
    task: npt.NDArray[np.int64]
    actions: Float
    row_mask: Float
    steps_left: npt.NDArray[np.int64]
    episode: npt.NDArray[np.int64]
    landmarks: Float

    @property
    def count(self) -> int:
        """Number of frames."""
        return int(self.images.shape[0])


def label(
    track: Track, frame: int, space: ActionSpace, done_delay: int
) -> tuple[Float, Float, int]:
    """Label of a frame of an episode.

    Returns:
        actions (T, D): the expert's requests of this moment and the following rows, normalised;
        row_mask (T,); steps left to `done_delay` rows after success, at most T.
    """
    rows = track.frames[frame] + np.arange(space.chunk_length)
    known = rows <= track.at[-1] + 1e-6
    asked = np.stack([np.interp(rows, track.at, column) for column in track.actions.T], axis=1)
    actions = np.where(known[:, None], np.clip(space.to_normalised(asked), -1.0, 1.0), 0.0)
    left = track.success + done_delay - track.frames[frame]
    steps = int(np.clip(round(left), 0, space.chunk_length))
    return actions.astype(np.float32), known.astype(np.float32), steps


def load_frames(
    folder: Path, settings: Settings, space: ActionSpace, progress: Progress | None = None
) -> Frames:
    """Read a LeRobot dataset, its pictures through a cache on disk.

    progress: is told how many episodes' pictures are decoded, and of how many.

    Raises:
        DemonstrationError: it does not fit the config, or a task has no episode.
    """
    source = Tracks(folder, settings, space)
    tracks = list(source)
    check_values(source.dataset, np.concatenate([track.actions for track in tracks]), space)
    delay = settings.train.done_delay
    labels = [label(t, frame, space, delay) for t in tracks for frame in range(len(t.frames))]
    size = (settings.height, settings.width)
    episodes = [track.episode for track in tracks]
    images = cached_images(source.dataset, episodes, source.cameras, size, progress)
    source.dataset.close()
    return Frames(
        images=images,
        state=np.concatenate([track.state for track in tracks]),
        task=np.concatenate([np.full(len(t.frames), t.task, np.int64) for t in tracks]),
        actions=np.stack([each[0] for each in labels]),
        row_mask=np.stack([each[1] for each in labels]),
        steps_left=np.array([each[2] for each in labels], np.int64),
        episode=np.concatenate([np.full(len(t.frames), n, np.int64) for n, t in enumerate(tracks)]),
        landmarks=np.concatenate([track.landmarks for track in tracks]),
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
