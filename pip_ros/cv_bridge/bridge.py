"""Image messages to arrays and back."""

from __future__ import annotations

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

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> np.ndarray:
        """Return an image message as an array, height × width (× channels), in native byte order.

        With "passthrough" the array may share the message's memory; else it is converted to the
        desired encoding.

        Raises:
            CvBridgeError: an encoding is unknown, or there is no conversion between the two.
            TypeError: the message has fewer bytes than its height and step say.
        """
        dtype_name, channels = self.encoding_to_dtype_with_channels(img_msg.encoding)
        dtype = np.dtype(dtype_name).newbyteorder(">" if img_msg.is_bigendian else "<")
        data: Any = img_msg.data
        if isinstance(data, list):
            data = np.asarray(data, dtype=np.uint8)
        width = min(img_msg.width, img_msg.step // (dtype.itemsize * channels))
        shape: tuple[int, ...] = (img_msg.height, width)
        strides: tuple[int, ...] = (img_msg.step, dtype.itemsize * channels)
        if channels != 1:
            shape, strides = (*shape, channels), (*strides, dtype.itemsize)
        if img_msg.height * img_msg.step > memoryview(data).nbytes:
            raise TypeError("buffer is too small for requested array")
        image: np.ndarray = np.ndarray(shape, dtype, buffer=data, strides=strides)
        image = np.ascontiguousarray(image.astype(dtype.newbyteorder("="), copy=False))
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
        """
        _require_array(cvim)
        channels = 1 if cvim.ndim < 3 else cvim.shape[2]
        cv_type = self.dtype_with_channels_to_cvtype2(cvim.dtype, channels)
        msg = Image()
        if header is not None:
            msg.header = header
        msg.height, msg.width = cvim.shape[:2]
        msg.encoding = cv_type if encoding == "passthrough" else encoding
        if (
            encoding != "passthrough"
            and self.cvtype_to_name.get(self.encoding_to_cvtype2(encoding)) != cv_type
        ):
            raise CvBridgeError(
                f"encoding specified as {encoding}, but image has incompatible type {cv_type}"
            )
        msg.is_bigendian = cvim.dtype.byteorder == ">"
        msg.data.frombytes(cvim.tobytes())
        msg.step = len(msg.data) // msg.height if msg.height else 0
        return msg

    def compressed_imgmsg_to_cv2(
        self, cmprs_img_msg: CompressedImage, desired_encoding: str = "passthrough"
    ) -> np.ndarray | None:
        """Return a compressed image message as an array: as it was encoded, or converted from BGR.

        Raises:
            CvBridgeError: the encoding is unknown, there is no conversion to it, or this is no
            image.
        """
        buffer = np.frombuffer(cmprs_img_msg.data, dtype=np.uint8)
        try:
            image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)  # None where this is no image
        except cv2.error as error:
            raise CvBridgeError(error) from error
        if desired_encoding == "passthrough":
            return image
        return _convert(image, "bgr8", desired_encoding)

    def cv2_to_compressed_imgmsg(
        self, cvim: np.ndarray, dst_format: str = "jpg"
    ) -> CompressedImage:
        """Return an array as a compressed image message, in the format of this file extension.

        Raises:
            TypeError: not an array.
            CvBridgeError: the format is unknown, or cannot hold the array.
        """
        _require_array(cvim)
        try:
            _, encoded = cv2.imencode("." + dst_format, cvim)
        except cv2.error as error:
            raise CvBridgeError(error) from error
        msg = CompressedImage(format=dst_format)
        msg.data.frombytes(encoded.tobytes())
        return msg


def _require_array(cvim: Any) -> None:
    if not isinstance(cvim, np.ndarray | np.generic):
        raise TypeError("Your input type is not a numpy array")


def _convert(image: np.ndarray | None, source: str, target: str) -> np.ndarray:
    if image is None:
        raise CvBridgeError("the data is not an image")
    try:
        return cvtColor2(image, source, target)
    except (RuntimeError, cv2.error) as error:
        raise CvBridgeError(error) from error
