"""How pixels are read and resized: recording, training and running must not differ in it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

# Of the encodings of sensor_msgs/Image that can become rgb8: all that are accepted anywhere.
BYTES_PER_PIXEL = {
    "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1,
    "rgb16": 6, "bgr16": 6, "rgba16": 8, "bgra16": 8, "mono16": 2,
    "yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2,
    "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1,
    "bayer_rggb16": 2, "bayer_bggr16": 2, "bayer_gbrg16": 2, "bayer_grbg16": 2,
}  # fmt: skip
# Other names of the same bytes: the older ones, which every cv_bridge has.
_OLD_NAMES = {"uyvy": "yuv422", "yuyv": "yuv422_yuy2", "8UC1": "mono8"}


def refusal_of_encoding(encoding: str) -> str:
    """Why an encoding is not accepted, and which are; empty where it is."""
    if encoding in BYTES_PER_PIXEL:
        return ""
    why = ""
    if encoding.startswith(("16UC1", "32FC1")):
        why = ", which is depth or another measurement and no picture"
    elif encoding.startswith("8UC"):
        why = ", which does not say what its channels are"
    return f"encoding is {encoding[:40]!r}{why}; accepted: {', '.join(BYTES_PER_PIXEL)}"


def in_bytes(pixels: Image, encoding: str, is_bigendian: bool) -> tuple[Image, str]:
    """The same picture with 8 bits a channel, under the older name of its encoding.

    Args:
        pixels: uint8, shape (H, W, `BYTES_PER_PIXEL` of the encoding). is_bigendian: of a channel
            of 16 bits; bytes have no order, whatever a driver says of them.

    Returns:
        uint8, shape (H, W, n): of 16 bits the upper 8; and the encoding that this is.
    """
    if not encoding.endswith("16"):
        return pixels, _OLD_NAMES.get(encoding, encoding)
    upper = pixels[:, :, 0 if is_bigendian else 1 :: 2]
    return np.ascontiguousarray(upper), encoding[: -len("16")] + "8"


def pixels_of(data: Any, height: int, width: int, step: int, channels: int = 3) -> Image:
    """The pixels in the data of a sensor_msgs/Image, in place and without the padding of its rows.

    Args:
        data: buffer of height * step bytes. step: bytes from row to row, at least width * channels;
            it need not be a whole number of pixels. channels: bytes per pixel.

    Returns:
        uint8, shape (height, width, channels).

    Raises:
        ValueError: the data has another length.
    """
    rows = np.frombuffer(data, dtype=np.uint8).reshape(height, step)
    return rows[:, : width * channels].reshape(height, width, channels)


def resize_area(image: Image, height: int, width: int) -> Image:
    """Resize by pixel-area averaging, without cropping.

    Args:
        image: uint8, shape (H, W, 3), any memory layout.
        height, width: size wanted, px. (0, 0), or the size it has, gives the image itself.

    Returns:
        uint8, shape (height, width, 3).

    Raises:
        ValueError: not a uint8 image of three channels with at least one pixel, or a negative
            size, or just one of height and width 0.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(
            f"image is {image.dtype} of shape {image.shape}; accepted: uint8 (H, W, 3), H, W >= 1"
        )
    if (height, width) in ((0, 0), image.shape[:2]):
        return image
    if height <= 0 or width <= 0:
        raise ValueError(f"size wanted is {height}x{width}; accepted: both above 0, or 0x0 to keep")
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, dtype=np.uint8)
