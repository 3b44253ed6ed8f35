"""From one encoding to another."""

from __future__ import annotations

import cv2
import numpy as np

from .encodings import DTYPES, Color, Encoding, parse_encoding

PLAIN = (Color.GRAY, Color.RGB, Color.BGR, Color.RGBA, Color.BGRA)
# OpenCV names a Bayer pattern after its second row and column, ROS after its first.
BAYER = {
    Color.BAYER_RGGB: "BayerBG",
    Color.BAYER_BGGR: "BayerRG",
    Color.BAYER_GBRG: "BayerGR",
    Color.BAYER_GRBG: "BayerGB",
}


def _codes() -> dict[tuple[Color, Color], int | None]:
    """Return OpenCV's conversion codes by source and target; None where nothing is to be done."""
    codes: dict[tuple[Color, Color], int | None] = {(Color.YUV422, Color.YUV422): None}
    for target in PLAIN:
        codes[target, target] = None
        for source in PLAIN:
            if source is not target:
                codes[source, target] = getattr(cv2, f"COLOR_{source.name}2{target.name}")
        codes[Color.YUV422, target] = getattr(cv2, f"COLOR_YUV2{target.name}_UYVY")
        codes[Color.YUV422_YUY2, target] = getattr(cv2, f"COLOR_YUV2{target.name}_YUY2")
        if target in (Color.GRAY, Color.RGB, Color.BGR):
            for pattern, name in BAYER.items():
                codes[pattern, target] = getattr(cv2, f"COLOR_{name}2{target.name}")
    return codes


CODES = _codes()


def _code(source: Encoding, target: Encoding, source_name: str, target_name: str) -> int | None:
    if source.color is not None and target.color is not None:
        if (source.color, target.color) not in CODES:
            raise RuntimeError(f"Unsupported conversion from [{source_name}] to [{target_name}]")
        return CODES[source.color, target.color]
    if source.color is None and target.color is not None:
        raise RuntimeError(
            f"[{source_name}] is not a color format. but [{target_name}] is. "
            "The conversion does not make sense"
        )
    if source.channels != target.channels:
        raise RuntimeError(
            f"[{source_name}] and [{target_name}] do not have the same number of channel"
        )
    return None


def _bits(encoding: Encoding) -> int:
    return encoding.dtype.itemsize * 8


def _change_depth(image: np.ndarray, source: Encoding, target: Encoding) -> np.ndarray:
    """Return the image in another depth.

    8 and 16 bits are scaled to each other, all else is only rounded and clipped.
    """
    if source.depth == target.depth:
        return image
    scale = {(8, 16): 65535.0 / 255.0, (16, 8): 255.0 / 65535.0}.get(
        (_bits(source), _bits(target)), 1.0
    )
    dtype = np.dtype(DTYPES[target.depth])
    values = image.astype(np.float64) * scale
    if dtype.kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.nan_to_num(np.clip(np.rint(values), limits.min, limits.max), nan=limits.min).astype(
        dtype
    )


def cvtColor2(image: np.ndarray | None, encoding_in: str, encoding_out: str) -> np.ndarray | None:
    """Return a copy of an image in another encoding; None where nothing is in it.

    Raises:
        RuntimeError: an encoding is unknown, there is no conversion between the two, or the image
            does not have the shape or the depth of its encoding.
    """
    if encoding_out in ("", encoding_in):
        return image.copy() if image is not None and image.size else None
    source, target = parse_encoding(encoding_in), parse_encoding(encoding_out)
    code = _code(source, target, encoding_in, encoding_out)
    if code is not None:
        try:
            image = cv2.cvtColor(image, code)  # type: ignore[arg-type]
        except cv2.error as error:
            raise RuntimeError(error) from error
    if image is None or not image.size:
        return None
    changed = _change_depth(image, source, target)
    return changed.copy() if code is None and changed is image else changed
