"""How pixels are read and resized: recording, training and running must not differ in it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

# Of the encodings of sensor_msgs/Image that can become rgb8. Depth images cannot.
BYTES_PER_PIXEL = {
    "rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1,
    "yuv422": 2, "uyvy": 2, "yuv422_yuy2": 2, "yuyv": 2,
    "bayer_rggb8": 1, "bayer_bggr8": 1, "bayer_gbrg8": 1, "bayer_grbg8": 1,
}  # fmt: skip


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
