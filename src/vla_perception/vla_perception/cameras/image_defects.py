"""What is wrong with the content of a picture: one small function per defect.

Each takes pixels and a limit and gives a `Defect` or None. Statistics are taken on a grid of about
32 by 32 pixels: a defect that fills a picture fills its sample, and 640x480 costs little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from vla_contract.image_pixels import Image
from vla_perception.observe.stamped_streams import Drop

_GRID = 32
_FEW = 0.01  # share of the values that may be bright in a black picture
_CLIPPED = 250  # of 255; JPEG and noise keep what is overexposed from being 255 throughout


@dataclass(frozen=True)
class Defect:
    """Which detector fired, and a sentence with what was found and what is accepted."""

    reason: Drop
    text: str


@dataclass(frozen=True)
class DetectorLimits:
    """Of one camera; each limit at 0 turns its detector off.

    black_level, uniform_deviation: grey levels of 255. saturated_share, constant_share: 0 to 1.
    width, height: px, of the pictures as they come; 0: those of the first one, unless the size
    changes.
    """

    black_level: float = 6.0
    saturated_share: float = 0.9
    uniform_deviation: float = 1.0
    constant_share: float = 0.3
    width: int = 0
    height: int = 0
    size_changes: bool = False


def sample(pixels: Image) -> Image:
    """A grid of pixels, at least 32 by 32 where there are as many."""
    rows, columns = (max(1, side // _GRID) for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[::rows, ::columns])


def black(values: Image, level: float) -> Defect | None:
    """The picture is dark throughout: a lens cap, a driver that fills buffers with zeros."""
    bright = np.count_nonzero(values >= level)
    if bright > _FEW * values.size:
        return None
    return Defect(
        Drop.BLACK,
        f"black: its mean is {values.mean():.1f} of 255; accepted: 1 % of it at least {level:g}",
    )


def saturated(values: Image, share: float) -> Defect | None:
    """Most pixels are clipped in every channel: dazzled, or the exposure has run away."""
    clipped = values >= _CLIPPED
    if not share or np.count_nonzero(clipped) <= share * clipped.size:
        return None
    found = float(clipped.all(axis=2).mean())
    if found <= share:
        return None
    return Defect(
        Drop.SATURATED, f"saturated: {found:.0%} of it is clipped; accepted: up to {share:.0%}"
    )


def uniform(values: Image, deviation: float) -> Defect | None:
    """The picture is one colour: a covered lens in the light, a driver's blank frame."""
    if not deviation:
        return None
    found = float(cv2.meanStdDev(values)[1].max())
    if found >= deviation:
        return None
    return Defect(
        Drop.UNIFORM,
        f"uniform: one colour within {found:.2f} of 255; accepted: at least {deviation:g}",
    )


def half(pixels: Image, share: float) -> Defect | None:
    """The lower part is exactly one colour: the rest of the picture never came.

    Decoders fill what is missing with grey, drivers leave zeros. A sensor's noise in the last row
    says already that it came whole.
    """
    last = pixels[-1, :: max(1, pixels.shape[1] // _GRID)]
    if not share or (last != last[0]).any():
        return None
    differing = np.flatnonzero((pixels != pixels[-1, 0]).any(axis=(1, 2)))
    constant = pixels.shape[0] - (int(differing[-1]) + 1 if differing.size else 0)
    found = constant / pixels.shape[0]
    if found < share:
        return None
    return Defect(
        Drop.HALF,
        f"half: its lower {found:.0%} are one colour exactly; accepted: less than {share:.0%}",
    )


def another_size(size: tuple[int, int], expected: tuple[int, int]) -> Defect | None:
    """The size, (height, width) in px, is not what it was or is configured."""
    if size == expected:
        return None
    return Defect(
        Drop.CHANGED_SIZE,
        f"size is {size[1]}x{size[0]}; accepted: {expected[1]}x{expected[0]}, as from the start",
    )


class ContentCheck:
    """All of these for one camera; remembers the size of its first picture."""

    def __init__(self, limits: DetectorLimits) -> None:
        self._limits = limits
        self._size = (limits.height, limits.width) if limits.height and limits.width else None

    def check(self, pixels: Image, reduction: int = 1) -> Defect | None:
        """The first defect of a picture, uint8 (H, W, 3) in either order of colours.

        reduction: how many times the camera's picture is wider and higher.
        """
        limits = self._limits
        size = (pixels.shape[0] * reduction, pixels.shape[1] * reduction)
        expected = size if limits.size_changes else self._size or size
        found = another_size(size, expected)
        if found is not None:
            return found
        values = sample(pixels)
        detectors: tuple[Callable[[], Defect | None], ...] = (
            lambda: black(values, limits.black_level),
            lambda: saturated(values, limits.saturated_share),
            lambda: uniform(values, limits.uniform_deviation),
            lambda: half(pixels, limits.constant_share),
        )
        for detector in detectors:
            found = detector()
            if found is not None:
                return found
        self._size = size
        return None
