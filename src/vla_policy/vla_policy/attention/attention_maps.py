"""Where each word of a command looks, as a picture: a row per camera, a column per word."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

TILE = 160  # px, side of one picture
LABEL = 20  # px, height of the line of words
_FONT = cv2.FONT_HERSHEY_SIMPLEX

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Attention:
    """What the model saw, the words, and where each looked.

    images: uint8 (N, h, w, 3), rgb, as the model sees them. camera_names: N. words: of the
    command, as the model knows them. weights: float32 (words, N * cells), rows sum to 1.
    """

    images: Image
    camera_names: tuple[str, ...]
    words: tuple[str, ...]
    weights: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        cameras = len(self.images)
        if (
            self.weights.ndim != 2
            or len(self.weights) != len(self.words)
            or not self.weights.shape[1]
            or self.weights.shape[1] % cameras
        ):
            raise ValueError(
                f"attention is {list(self.weights.shape)}; accepted: {len(self.words)} words over "
                f"as many cells of each of {cameras} cameras"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of one camera's cells: the division nearest to the picture's sides."""
        cells = self.weights.shape[1] // len(self.images)
        height, width = self.images.shape[1:3]
        rows = min(
            (n for n in range(1, cells + 1) if cells % n == 0),
            key=lambda n: abs(np.log(n * n * width / (cells * height))),
        )
        return rows, cells // rows

    def maps(self) -> npt.NDArray[np.float32]:
        """float32 (words, N, rows, columns)."""
        return self.weights.reshape(len(self.words), len(self.images), *self.grid)


def overlay(attention: Attention, tile: int = TILE) -> Image:
    """The picture, uint8 rgb: first each camera as it is, then the same under each word's heat.

    A word's heat is relative to where it looks most, over all cameras.
    """
    maps = attention.maps()
    columns = [_column("", [_tile(image, tile) for image in attention.images], tile)]
    for word, heats in zip(attention.words, maps, strict=True):
        scaled = heats / max(float(heats.max()), 1e-9)
        tiles = [
            _heated(_tile(image, tile), heat)
            for image, heat in zip(attention.images, scaled, strict=True)
        ]
        columns.append(_column(word, tiles, tile))
    picture = np.concatenate(columns, axis=1)
    for row, name in enumerate(attention.camera_names):
        _write(picture, name, (4, LABEL + (row + 1) * tile - 6))
    return picture


def _tile(image: Image, side: int) -> Image:
    resized = cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)


def _heated(image: Image, heat: npt.NDArray[np.float32]) -> Image:
    """A picture, dark and grey where a word does not look, in glowing colours where it does."""
    side = image.shape[:2][::-1]
    smooth = np.clip(cv2.resize(heat.astype(np.float32), side, interpolation=cv2.INTER_CUBIC), 0, 1)
    colours = cv2.applyColorMap((smooth * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    grey = image.mean(axis=2, keepdims=True)
    share = 0.75 * smooth[..., None]
    return (colours * share + grey * (1.0 - share) * 0.8).astype(np.uint8)


def _column(word: str, tiles: list[Image], side: int) -> Image:
    label = np.zeros((LABEL, side, 3), np.uint8)
    _write(label, word, (4, LABEL - 6))
    return np.concatenate([label, *tiles])


def _write(picture: Image, text: str, at: tuple[int, int]) -> None:
    # What the font lacks it would draw as question marks of several letters.
    plain = text.encode("ascii", "replace").decode()
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, plain, at, _FONT, 0.45, colour, thickness, cv2.LINE_AA)
