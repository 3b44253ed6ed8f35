"""Image messages to arrays."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import Image

# Encoding → channels, OpenCV's conversion to BGR. OpenCV names a Bayer pattern after its second row
# and column, ROS after its first.
_TO_BGR = {
    "bgr8": (3, None),
    "rgb8": (3, cv2.COLOR_RGB2BGR),
    "rgba8": (4, cv2.COLOR_RGBA2BGR),
    "bgra8": (4, cv2.COLOR_BGRA2BGR),
    "mono8": (1, cv2.COLOR_GRAY2BGR),
    "yuv422": (2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (2, cv2.COLOR_YUV2BGR_YUY2),
    "bayer_rggb8": (1, cv2.COLOR_BayerBG2BGR),
    "bayer_bggr8": (1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (1, cv2.COLOR_BayerGR2BGR),
    "bayer_grbg8": (1, cv2.COLOR_BayerGB2BGR),
}


class CvBridgeError(TypeError):
    """An image cannot be converted."""


class CvBridge:
    """Converts ROS image messages to arrays as OpenCV has them."""

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str) -> Any:
        """Return an image message as an array of bgr8, shape (height, width, 3).

        As the real one it reads a row as a whole number of pixels: where `step` is none, the rows
        shear.

        Raises:
            CvBridgeError: an encoding has no conversion here, or the conversion fails.
            TypeError: the message has fewer bytes than its height and step say.
        """
        if desired_encoding != "bgr8" or img_msg.encoding not in _TO_BGR:
            raise CvBridgeError(
                f"Unsupported conversion from [{img_msg.encoding}] to [{desired_encoding}]"
            )
        channels, code = _TO_BGR[img_msg.encoding]
        shape = (img_msg.height, img_msg.step // channels, channels)
        pixels: np.ndarray = np.ndarray(shape, np.uint8, buffer=img_msg.data)
        image = np.ascontiguousarray(pixels[:, : img_msg.width])
        try:
            return image if code is None else cv2.cvtColor(image, code)
        except cv2.error as error:
            raise CvBridgeError(error) from error
