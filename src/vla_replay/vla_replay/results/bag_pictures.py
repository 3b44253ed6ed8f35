"""Camera pictures of a bag for the report: small JPEGs."""

from __future__ import annotations

import cv2
import numpy as np

from vla_contract.image_pixels import BYTES_PER_PIXEL, in_bytes, pixels_of
from vla_replay.bags.cdr_fields import COMPRESSED_IMAGE, IMAGE, CdrError
from vla_replay.bags.message_codec import Codec

_CODEC = Codec()
WIDTH = 320  # px
QUALITY = 80
_TO_BGR = {
    "rgb8": cv2.COLOR_RGB2BGR,
    "rgba8": cv2.COLOR_RGBA2BGR,
    "bgra8": cv2.COLOR_BGRA2BGR,
    "mono8": cv2.COLOR_GRAY2BGR,
    "yuv422_yuy2": cv2.COLOR_YUV2BGR_YUY2,
    "yuv422": cv2.COLOR_YUV2BGR_UYVY,
    "bayer_rggb8": cv2.COLOR_BayerBG2BGR,
    "bayer_bggr8": cv2.COLOR_BayerRG2BGR,
    "bayer_gbrg8": cv2.COLOR_BayerGR2BGR,
    "bayer_grbg8": cv2.COLOR_BayerGB2BGR,
}


def jpeg(data: bytes, compressed: bool) -> bytes:
    """A picture of an Image or CompressedImage, `WIDTH` wide at most; empty where it shows none."""
    try:
        picture = _decoded(data) if compressed else _raw(data)
        if picture is None or not picture.size:
            return b""
        height, width = picture.shape[:2]
        if width > WIDTH:
            size = (WIDTH, max(1, round(height * WIDTH / width)))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        done, packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    except (cv2.error, CdrError, ValueError):
        return b""
    return packed.tobytes() if done else b""


def _decoded(data: bytes) -> np.ndarray | None:
    return cv2.imdecode(_CODEC.read(COMPRESSED_IMAGE, data).data, cv2.IMREAD_COLOR)


def _raw(data: bytes) -> np.ndarray | None:
    image = _CODEC.read(IMAGE, data)
    channels = BYTES_PER_PIXEL.get(image.encoding)
    if channels is None:
        return None
    pixels = pixels_of(image.data, image.height, image.width, image.step, channels)
    picture, encoding = in_bytes(pixels, image.encoding, bool(image.is_bigendian))
    code = _TO_BGR.get(encoding)
    return picture if code is None else cv2.cvtColor(np.ascontiguousarray(picture), code)
