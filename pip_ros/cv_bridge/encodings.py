"""What an image's encoding says: how deep, how many channels, which colours in which order."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import NamedTuple

import cv2
import numpy as np


class CvBridgeError(TypeError):
    """An image cannot be converted."""


class Color(Enum):
    """The order of the colours in a pixel."""

    GRAY = auto()
    RGB = auto()
    BGR = auto()
    RGBA = auto()
    BGRA = auto()
    YUV422 = auto()  # U Y0 V Y1
    YUV422_YUY2 = auto()  # Y0 U Y1 V
    BAYER_RGGB = auto()
    BAYER_BGGR = auto()
    BAYER_GBRG = auto()
    BAYER_GRBG = auto()


class Encoding(NamedTuple):
    """Depth as OpenCV names it ("8U"), channels, and the colours where the encoding tells them."""

    depth: str
    channels: int
    color: Color | None

    @property
    def dtype(self) -> np.dtype:
        """The type of one channel of one pixel."""
        return np.dtype(DTYPES[self.depth])

    @property
    def cv_type(self) -> int:
        """OpenCV's number for depth and channels."""
        return cv_type_of(self.depth, self.channels)


DTYPES = {
    "8U": "uint8",
    "8S": "int8",
    "16U": "uint16",
    "16S": "int16",
    "32S": "int32",
    "32F": "float32",
    "64F": "float64",
}
CV_DEPTHS = {depth: getattr(cv2, f"CV_{depth}") for depth in DTYPES}
ONE_MORE_CHANNEL = cv2.CV_8UC2 - cv2.CV_8UC1  # 8; OpenCV 5 has room for more depths


def cv_type_of(depth: str, channels: int) -> int:
    """OpenCV's number for a depth as it names it ("8U") and channels; 4.5.4 has no CV_MAKETYPE."""
    return int(CV_DEPTHS[depth]) + (channels - 1) * ONE_MORE_CHANNEL


def _named() -> dict[str, Encoding]:
    colors = {
        "rgb": (3, Color.RGB),
        "bgr": (3, Color.BGR),
        "rgba": (4, Color.RGBA),
        "bgra": (4, Color.BGRA),
    }
    table = {"mono8": Encoding("8U", 1, Color.GRAY), "mono16": Encoding("16U", 1, Color.GRAY)}
    for bits in (8, 16):
        for name, (channels, color) in colors.items():
            table[f"{name}{bits}"] = Encoding(f"{bits}U", channels, color)
        for pattern in ("rggb", "bggr", "gbrg", "grbg"):
            color = Color[f"BAYER_{pattern.upper()}"]
            table[f"bayer_{pattern}{bits}"] = Encoding(f"{bits}U", 1, color)
    table["yuv422"] = Encoding("8U", 2, Color.YUV422)
    table["yuv422_yuy2"] = Encoding("8U", 2, Color.YUV422_YUY2)
    return table


NAMED = _named()
GENERIC = re.compile(r"(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?")


def parse_encoding(name: str) -> Encoding:
    """Return what an encoding's name means.

    Raises:
        RuntimeError: no such encoding.
    """
    if name in NAMED:
        return NAMED[name]
    match = GENERIC.fullmatch(name)
    if match is None:
        raise RuntimeError(f"Unrecognized image encoding [{name}]")
    return Encoding(match[1], int(match[2] or 1), None)


def getCvType(encoding: str) -> int:
    """Return OpenCV's type number of an encoding.

    Raises:
        RuntimeError: no such encoding.
    """
    return parse_encoding(encoding).cv_type
