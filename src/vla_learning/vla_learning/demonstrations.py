"""One demonstration: what was seen, asked for and executed in one episode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


class DemonstrationError(ValueError):
    """Demonstrations that cannot be read, written or used; one line: where and what is wrong."""


@dataclass(frozen=True)
class Demonstration:
    """An episode of L ticks, with F sets of images. A tick is the period of an action chunk's rows.

    images: (F, N, h, w, 3) uint8 rgb, cameras in the order of the config.
    image_ticks: (F,) tick at which each set of images was seen, rising.
    state: (F, S) float32, SI; the robot's state at those ticks.
    requested: (L, D) float32, SI; what the expert asked for at tick k: the label.
    executed: (L, D) float32, SI; what left the limiter.
    success_tick: ticks applied when the task was first fulfilled; -1 if it never was.
    noisy: whether bursts of noise were added before the limiter.
    task: its name in the config. command: the words, as LeRobot's task.
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
    command: str

    @property
    def length(self) -> int:
        """Number of ticks."""
        return int(self.requested.shape[0])
