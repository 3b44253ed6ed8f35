"""The LeRobot dataset format, v3.0: names, paths, and a demonstration as its columns.

v3.0, because LeRobot itself opens nothing older any more (0.4 and later refuse v2.1 and offer a
converter); v2.1 is read here all the same. One row a frame; `requested` and `executed` hold the
actions of all ticks up to the next frame, since an action chunk is finer than the cameras.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vla_contract.action_space import ActionSpace
from vla_learning.data.demonstrations import Demonstration, DemonstrationError
from vla_learning.data.frame_video import CODEC, OPTIONS, PIXELS
from vla_learning.learning_settings import Settings

VERSION = "v3.0"
INFO, STATS, TASKS = "meta/info.json", "meta/stats.json", "meta/tasks.parquet"
EPISODES = "meta/episodes/chunk-000/file-{file_index:03d}.parquet"
EPISODE_FILES = "meta/episodes/*/*.parquet"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_A_CHUNK, DATA_MEGABYTES, VIDEO_MEGABYTES = 1000, 100, 200
# Not LeRobot's: what the episodes were made with.
CONFIG, ACTION_SPACE = "meta/vla/config.yaml", "meta/vla/action_space.yaml"

IMAGES, STATE, ACTION = "observation.images.", "observation.state", "action"
REQUESTED, EXECUTED, ROW_COUNT, TICK = "requested", "executed", "row_count", "tick"
SUCCESS, SUCCESS_TICK, NOISY = "next.success", "success_tick", "noisy"
SEED, TASK_NAME, LANDMARKS = "seed", "task_name", "landmarks"
# Added by LeRobot to every dataset; written when the episodes are put together.
INDICES = ("timestamp", "frame_index", "episode_index", "index", "task_index")

Features = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Recipe:
    """What every episode of a dataset has in common.

    rows: ticks from one frame to the next. fps: frames a second, a whole number.
    landmark_names: empty where the episodes have none.
    """

    cameras: tuple[str, ...]
    height: int
    width: int
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]
    rows: int
    fps: int
    landmark_names: tuple[str, ...] = ()

    @staticmethod
    def of(settings: Settings, space: ActionSpace, landmarks: tuple[str, ...] = ()) -> Recipe:
        """The recipe of a config.

        Raises:
            DemonstrationError: its images are not a whole number a second.
        """
        rows = settings.collect.image_period
        rate = 1.0 / (rows * space.chunk_period)
        if abs(rate - round(rate)) > 1e-6 * rate:
            raise DemonstrationError(
                f"image_period is {rows} rows of {space.chunk_period} s, {rate:.3f} images a "
                "second; accepted: a whole number of images a second, as LeRobot has it"
            )
        return Recipe(
            settings.cameras,
            settings.height,
            settings.width,
            settings.state_names,
            space.dimension_names,
            rows,
            round(rate),
            landmarks,
        )

    def features(self) -> Features:
        """The `features` of info.json: LeRobot's own, then what training here needs besides."""
        rows = [f"{name}.{row}" for row in range(self.rows) for name in self.action_names]
        plain: list[tuple[str, str, list[str] | None]] = [
            (STATE, "float32", list(self.state_names)),
            (ACTION, "float32", list(self.action_names)),
            (REQUESTED, "float32", rows),
            (EXECUTED, "float32", rows),
            (ROW_COUNT, "int64", None),
            (TICK, "int64", None),
            (SUCCESS, "bool", None),
            (SUCCESS_TICK, "int64", None),
            (NOISY, "bool", None),
            (SEED, "int64", None),
            (TASK_NAME, "string", None),
            ("timestamp", "float32", None),
            *((name, "int64", None) for name in INDICES[1:]),
        ]
        if self.landmark_names:
            plain.insert(4, (LANDMARKS, "float32", list(self.landmark_names)))
        features: Features = {IMAGES + camera: self._video() for camera in self.cameras}
        for name, dtype, names in plain:
            shape = [len(names) if names else 1]
            features[name] = {"dtype": dtype, "shape": shape, "names": names}
        return features

    def _video(self) -> dict[str, Any]:
        return {
            "dtype": "video",
            "shape": [self.height, self.width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": self.height,
                "video.width": self.width,
                "video.codec": "h264",
                "video.pix_fmt": PIXELS,
                "video.is_depth_map": False,
                "video.fps": self.fps,
                "video.channels": 3,
                "video.encoder": CODEC,
                "video.crf": int(OPTIONS["crf"]),
                "video.g": int(OPTIONS["g"]),
                "has_audio": False,
            },
        }


def columns(demonstration: Demonstration, recipe: Recipe) -> dict[str, Any]:
    """Rows of an episode, name → (F,) or (F, n) array; without images and `INDICES`.

    Raises:
        DemonstrationError: it is not of the recipe.
    """
    d = demonstration
    count = int(np.count_nonzero(d.image_ticks < d.length))
    ticks = d.image_ticks[:count]
    ends = np.append(ticks[1:], d.length)
    _check(d, recipe, int((ends - ticks).max(initial=0)))
    # The last one is repeated where an episode ends between two frames; row_count tells.
    index = np.minimum(ticks[:, None] + np.arange(recipe.rows), ends[:, None] - 1)
    optional = {}
    if recipe.landmark_names:
        optional[LANDMARKS] = d.landmarks[:count].astype(np.float32)
    succeeded = (d.success_tick >= 0) & (ends >= d.success_tick)
    return {
        STATE: d.state[:count].astype(np.float32),
        ACTION: d.requested[ticks].astype(np.float32),
        REQUESTED: d.requested[index].reshape(count, -1).astype(np.float32),
        EXECUTED: d.executed[index].reshape(count, -1).astype(np.float32),
        **optional,
        ROW_COUNT: ends - ticks,
        TICK: ticks,
        SUCCESS: succeeded,
        SUCCESS_TICK: np.full(count, d.success_tick, np.int64),
        NOISY: np.full(count, d.noisy, bool),
        SEED: np.full(count, d.seed, np.int64),
        TASK_NAME: [d.task] * count,
        "timestamp": (np.arange(count) / recipe.fps).astype(np.float32),
        "frame_index": np.arange(count),
    }


def _check(d: Demonstration, recipe: Recipe, gap: int) -> None:
    wanted = (len(recipe.cameras), recipe.height, recipe.width, 3)
    if d.images.shape[1:] != wanted or not len(d.images):
        raise DemonstrationError(f"images are {d.images.shape}; accepted: at least one of {wanted}")
    for what, values, names in (
        ("state", d.state, recipe.state_names),
        ("requested", d.requested, recipe.action_names),
        ("executed", d.executed, recipe.action_names),
        ("landmarks", d.landmarks, recipe.landmark_names),
    ):
        if not len(names):
            continue
        if values.ndim != 2 or values.shape[1] != len(names):
            raise DemonstrationError(f"{what} is {values.shape}; accepted: (n, {len(names)})")
        if not np.isfinite(values).all():
            raise DemonstrationError(f"{what} has values that are not finite")
    if gap > recipe.rows:
        raise DemonstrationError(f"{gap} ticks between two images; accepted: up to {recipe.rows}")


def read_json(path: Path) -> Any:
    """Content of a JSON file of a dataset.

    Raises:
        DemonstrationError: there is none, or it is broken.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DemonstrationError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DemonstrationError(f"{path}: not JSON: {' '.join(str(error).split())}") from error


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4, ensure_ascii=False) + "\n", encoding="utf-8")
