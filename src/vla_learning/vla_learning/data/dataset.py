"""A dataset as training frames with their labels. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_contract.action_space import ActionSpace
from vla_learning.data.dataset_fit import check_values
from vla_learning.data.frame_cache import Progress, cached_images
from vla_learning.data.tracks import Track, Tracks
from vla_learning.learning_settings import Settings

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
