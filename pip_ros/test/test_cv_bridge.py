"""cv_bridge: the stand-in, or the real package where ROS itself is installed."""

import numpy as np
import pytest
from sensor_msgs.msg import Image

from cv_bridge import CvBridge, CvBridgeError

BRIDGE = CvBridge()


def message(encoding, pixels, padding=b""):
    """pixels: uint8, shape (H, W, channels)."""
    rows = [row.tobytes() + padding for row in pixels]
    return Image(
        height=len(pixels), width=pixels.shape[1], encoding=encoding, step=len(rows[0]),
        data=b"".join(rows),
    )  # fmt: skip


def bgr(*arguments):
    return BRIDGE.imgmsg_to_cv2(message(*arguments), "bgr8")


@pytest.mark.parametrize("source", ["rgb8", "bgr8", "rgba8", "bgra8"])
def test_colours(source):
    values = {"r": 200, "g": 100, "b": 50, "a": 255}
    pixel = np.uint8([values[channel] for channel in source.rstrip("8")])
    found = bgr(source, np.tile(pixel, (3, 5, 1)))
    assert found.shape == (3, 5, 3) and found.dtype == np.uint8
    assert (found == (50, 100, 200)).all()


def test_grey_has_three_equal_channels():
    assert (bgr("mono8", np.full((2, 4, 1), 100, np.uint8)) == 100).all()


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer(pattern):
    cells = np.zeros((8, 8, 1), np.uint8)
    row, column = divmod(pattern.index("r"), 2)
    cells[row::2, column::2] = 255
    assert bgr(f"bayer_{pattern}8", cells)[4, 4].tolist() == [0, 0, 255]


@pytest.mark.parametrize(("encoding", "pixel"), [("yuv422", (128, 90)), ("yuv422_yuy2", (90, 128))])
def test_yuv(encoding, pixel):
    found = bgr(encoding, np.tile(np.uint8(pixel), (2, 4, 1)))
    assert np.ptp(found) == 0 and abs(int(found[0, 0, 0]) - round((90 - 16) * 1.164)) <= 1


def test_a_row_may_be_longer_than_its_pixels():
    pixels = np.arange(45, dtype=np.uint8).reshape(3, 5, 3)
    np.testing.assert_array_equal(bgr("bgr8", pixels, b"\xff" * 3), pixels)


@pytest.mark.parametrize("width", [4, 6])
def test_a_row_that_is_no_whole_number_of_pixels_shears_the_image(width):
    """So whoever has such rows has to leave their padding out."""
    pixels = np.arange(4 * width * 3, dtype=np.uint8).reshape(4, width, 3)
    flat = message("bgr8", pixels, b"\xff").data
    sheared = np.frombuffer(flat, np.uint8)[: 4 * width * 3].reshape(4, width, 3)
    np.testing.assert_array_equal(bgr("bgr8", pixels, b"\xff"), sheared)


def test_impossible_conversions():
    for encoding in ("purple", "8UC3"):
        with pytest.raises(CvBridgeError):
            bgr(encoding, np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(CvBridgeError):
        BRIDGE.imgmsg_to_cv2(message("rgb8", np.zeros((2, 2, 3), np.uint8)), "purple")


def test_too_little_data_is_a_type_error():
    short = Image(height=10, width=10, encoding="rgb8", step=30, data=bytes(299))
    with pytest.raises(TypeError):
        BRIDGE.imgmsg_to_cv2(short, "bgr8")
