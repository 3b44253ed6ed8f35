"""One demonstration: what was seen, asked for and executed in one episode."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


class DemonstrationError(ValueError):
    """Demonstrations that cannot be read, written or used; one line: where and what is wrong."""


LANDMARKS = tuple(f"{what}.{axis}" for what in ("object", "other", "goal") for axis in "xyz")


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
    landmarks: (F, 9) float32, m, at those ticks: where the simulator's objects and goal are
    (`LANDMARKS`), which a policy may be trained to tell but is never told; (F, 0): not known.
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
    landmarks: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @property
    def length(self) -> int:
        """Number of ticks."""
        return int(self.requested.shape[0])
