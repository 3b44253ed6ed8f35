"""Image messages to arrays and back."""

from __future__ import annotations

import sys
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from .colors import cvtColor2
from .encodings import CV_DEPTHS, DTYPES, CvBridgeError, getCvType


class CvBridge:
    """Converts between ROS image messages and arrays as OpenCV has them."""

    def __init__(self) -> None:
        self.cvdepth_to_numpy_depth = {CV_DEPTHS[depth]: dtype for depth, dtype in DTYPES.items()}
        self.cvtype_to_name = {
            int(cv2.CV_MAKETYPE(CV_DEPTHS[depth], channels)): f"{depth}C{channels}"
            for depth in DTYPES
            for channels in (1, 2, 3, 4)
        }
        self.numpy_type_to_cvtype = {dtype: depth for depth, dtype in DTYPES.items()} | DTYPES

    def dtype_with_channels_to_cvtype2(self, dtype: np.dtype, n_channels: int) -> str:
        """Return the generic encoding of an array's type, such as "8UC3".

        Raises:
            KeyError: OpenCV has no such depth.
        """
        return f"{self.numpy_type_to_cvtype[dtype.name]}C{n_channels}"

    def cvtype2_to_dtype_with_channels(self, cvtype: int) -> tuple[str, int]:
        """Return the depth as NumPy names it, and the channels, of OpenCV's type number."""
        one_more_channel = int(cv2.CV_MAKETYPE(0, 2))  # 8; OpenCV 5 has room for more depths
        channels, depth = divmod(cvtype, one_more_channel)
        return self.cvdepth_to_numpy_depth[depth], channels + 1

    def encoding_to_cvtype2(self, encoding: str) -> int:
        """Return OpenCV's type number of an encoding.

        Raises:
            CvBridgeError: no such encoding.
        """
        try:
            return getCvType(encoding)
        except RuntimeError as error:
            raise CvBridgeError(error) from error

    def encoding_to_dtype_with_channels(self, encoding: str) -> tuple[str, int]:
        """Return the depth as NumPy names it, and the channels, of an encoding.

        Raises:
            CvBridgeError: no such encoding.
        """
        return self.cvtype2_to_dtype_with_channels(self.encoding_to_cvtype2(encoding))

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> Any:
        """Return an image message as an array, height × width (× channels), in native byte order.

        With "passthrough" the array may share the message's memory; else it is converted to the
        desired encoding. As the real one it takes a row for a whole number of pixels: where `step`
        is none, the rows shear; where it is less than the width, the image is narrower.

        Raises:
            CvBridgeError: an encoding is unknown, or there is no conversion between the two.
            TypeError: the message has fewer bytes than its height and step say.
            AttributeError: the byte order is not this machine's, and this is NumPy 2.
        """
        dtype_name, channels = self.encoding_to_dtype_with_channels(img_msg.encoding)
        dtype = np.dtype(dtype_name).newbyteorder(">" if img_msg.is_bigendian else "<")
        data: Any = img_msg.data
        if isinstance(data, list):
            data = np.asarray(data, dtype=dtype)
        shape: tuple[int, ...] = (img_msg.height, img_msg.step // dtype.itemsize // channels)
        if channels != 1:
            shape = (*shape, channels)
        pixels: np.ndarray = np.ndarray(shape, dtype, buffer=data)
        image: Any = np.ascontiguousarray(pixels[:, : img_msg.width])
        if img_msg.is_bigendian == (sys.byteorder == "little"):
            image = image.byteswap().newbyteorder()
        if desired_encoding == "passthrough":
            return image
        return _convert(image, img_msg.encoding, desired_encoding)

    def cv2_to_imgmsg(
        self, cvim: np.ndarray, encoding: str = "passthrough", header: Any = None
    ) -> Image:
        """Return an array as an image message; nothing is converted.

        Raises:
            TypeError: not an array.
            CvBridgeError: the encoding is unknown, or the array is not of its depth and channels.
            KeyError: OpenCV has no such depth, or the encoding has more than 4 channels.
            IndexError, ZeroDivisionError: the array has one dimension, or no rows.
        """
        _require_array(cvim)
        msg = Image(height=cvim.shape[0], width=cvim.shape[1])
        if header is not None:
            msg.header = header
        channels = 1 if cvim.ndim < 3 else cvim.shape[2]
        cv_type = self.dtype_with_channels_to_cvtype2(cvim.dtype, channels)
        msg.encoding = cv_type if encoding == "passthrough" else encoding
        if (
            encoding != "passthrough"
            and self.cvtype_to_name[self.encoding_to_cvtype2(encoding)] != cv_type
        ):
            raise CvBridgeError(
                f"encoding specified as {encoding}, but image has incompatible type {cv_type}"
            )
        msg.is_bigendian = cvim.dtype.byteorder == ">"
        msg.data.frombytes(cvim.tobytes())
        msg.step = len(msg.data) // msg.height
        return msg

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = "passthrough"
    ) -> Any:
        """Return a compressed image message as an array: as it was encoded, or converted from BGR.

        None where this is no image and nothing is to be converted ("passthrough" or "bgr8").

        Raises:
            CvBridgeError: the encoding is unknown, there is no conversion to it, or this is no
            image.
            cv2.error: there are no bytes.
        """
        buffer = np.frombuffer(cmprs_img_msg.data, dtype=np.uint8)
        image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
        if desired_encoding == "passthrough":
            return image
        return _convert(image, "bgr8", desired_encoding)

    def cv2_to_compressed_imgmsg(
        self, cvim: np.ndarray, dst_format: str = "jpg"
    ) -> CompressedImage:
        """Return an array as a compressed image message, in the format of this file extension.

        Raises:
            TypeError: not an array.
            cv2.error: the format is unknown, or cannot hold the array.
        """
        _require_array(cvim)
        _, encoded = cv2.imencode("." + dst_format, cvim)
        msg = CompressedImage(format=dst_format)
        msg.data.frombytes(encoded.tobytes())
        return msg


def _require_array(cvim: Any) -> None:
    if not isinstance(cvim, np.ndarray | np.generic):
        raise TypeError("Your input type is not a numpy array")


def _convert(image: np.ndarray | None, source: str, target: str) -> np.ndarray | None:
    try:
        return cvtColor2(image, source, target)
    except RuntimeError as error:
        raise CvBridgeError(error) from error
