"""One demonstration: what was seen, asked for and executed in one episode; an .npz file each."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from vla_learning.settings import Settings


class DemonstrationError(ValueError):
    """A demonstration file that cannot be read; the message names the file and what is wrong."""


@dataclass(frozen=True)
class Demonstration:
    """An episode of L ticks, with F images per camera.

    images: (F, N, h, w, 3) uint8 rgb, cameras in the order of the config.
    image_ticks: (F,) tick at which each set of images was rendered.
    state: (L + 1, S) float32, SI; row k is the state before tick k's action is applied.
    requested: (L, D) float32, SI; what the expert asked for at tick k: the label.
    executed: (L, D) float32, SI; what left the limiter.
    success_tick: ticks applied when the simulator first said success; -1 if it never did.
    noisy: whether bursts of noise were added before the limiter.
    """

    images: npt.NDArray[np.uint8]
    image_ticks: npt.NDArray[np.int64]
    state: npt.NDArray[np.float32]
    requested: npt.NDArray[np.float32]
    executed: npt.NDArray[np.float32]
    success_tick: int
    noisy: bool
    seed: int
    task: str

    @property
    def length(self) -> int:
        """Number of ticks."""
        return int(self.requested.shape[0])

    def save(self, path: Path) -> None:
        """Write; an interrupted write leaves no file under the final name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **{f.name: getattr(self, f.name) for f in fields(self)})
        os.replace(partial, path)

    @staticmethod
    def load(path: Path) -> Demonstration:
        """Read; raises DemonstrationError where the file is not a demonstration."""
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = {f.name: data[f.name] for f in fields(Demonstration)}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DemonstrationError(f"demonstration {path}: {error}") from error
        return Demonstration(
            images=arrays["images"],
            image_ticks=arrays["image_ticks"],
            state=arrays["state"],
            requested=arrays["requested"],
            executed=arrays["executed"],
            success_tick=int(arrays["success_tick"]),
            noisy=bool(arrays["noisy"]),
            seed=int(arrays["seed"]),
            task=str(arrays["task"]),
        )


def demonstration_path(folder: Path, task: str, seed: int) -> Path:
    """Where the demonstration of a task and seed is kept."""
    return folder / task / f"{seed:06d}.npz"


def find_demonstrations(folder: Path, task: str) -> list[Path]:
    """Files of a task, by seed."""
    return sorted(p for p in (folder / task).glob("*.npz") if ".partial" not in p.name)


def check_available(folder: Path, settings: Settings) -> None:
    """Raise DemonstrationError where a task of the config has no demonstration."""
    for task in settings.tasks:
        if not find_demonstrations(folder, task):
            raise DemonstrationError(
                f"no demonstrations of {task} in {folder}; make them with ./vla learn collect"
            )
