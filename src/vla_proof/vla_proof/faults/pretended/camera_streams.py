"""What a camera sends while a fault is on, as pixels. Free of ROS."""

from __future__ import annotations

import enum

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
SIDE = 96  # px; small, so that a flood of 1000 a second is possible
IMAGE_TOPIC = "/camera/image_raw"


class CameraMode(enum.Enum):
    """How the camera behaves."""

    GOOD = "good"
    UNPLUGGED = "unplugged"  # the publisher is gone
    FROZEN = "frozen"  # the last picture for ever, with new stamps
    BLACK = "black"
    HALF = "half"  # the lower half never came and is zeros
    TRUNCATED = "truncated"  # half of the bytes that the message announces
    DELAYED = "delayed"  # 5 s late, with their own stamps


class Scene:
    """A picture with structure that changes with every frame, as a camera's noise makes it."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        rows, columns = np.mgrid[0:SIDE, 0:SIDE]
        base = 96 + 64 * np.sin(rows / 7.0) + 48 * np.cos(columns / 11.0)
        self._base = np.repeat(base[..., None], 3, axis=2)

    def next(self) -> Pixels:
        """The next picture, (96, 96, 3), rgb."""
        noise = self._random.integers(-8, 9, self._base.shape)
        return np.clip(self._base + noise, 0, 255).astype(np.uint8)


def data_of(pixels: Pixels, mode: CameraMode) -> bytes:
    """The bytes of the message that the camera sends in this mode."""
    if mode is CameraMode.BLACK:
        return bytes(pixels.size)
    whole = pixels.tobytes()
    upper = whole[: len(whole) // 2]
    if mode is CameraMode.HALF:
        return upper + bytes(len(whole) - len(upper))
    return upper if mode is CameraMode.TRUNCATED else whole
