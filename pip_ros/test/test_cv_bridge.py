"""cv_bridge: the stand-in, or the real package where ROS itself is installed."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cv_bridge import CvBridge, CvBridgeError, getCvType

BRIDGE = CvBridge()
RANDOM = np.random.default_rng(0)


def random_image(*shape, dtype=np.uint8):
    if np.dtype(dtype).kind == "f":
        return RANDOM.normal(size=shape).astype(dtype)
    return RANDOM.integers(0, np.iinfo(dtype).max, size=shape, dtype=dtype)


def image_message(encoding, height, width, step, data, is_bigendian=False):
    message = Image(
        height=height, width=width, encoding=encoding, step=step, is_bigendian=is_bigendian
    )
    message.data = data
    return message


@pytest.mark.parametrize(
    "encoding, shape, dtype",
    [
        ("rgb8", (4, 6, 3), np.uint8),
        ("bgra8", (4, 6, 4), np.uint8),
        ("mono8", (4, 6), np.uint8),
        ("mono16", (4, 6), np.uint16),
        ("rgb16", (4, 6, 3), np.uint16),
        ("16UC1", (4, 6), np.uint16),
        ("32FC1", (4, 6), np.float32),
        ("64FC2", (4, 6, 2), np.float64),
        ("8SC3", (4, 6, 3), np.int8),
        ("yuv422", (4, 6, 2), np.uint8),
        ("bayer_rggb8", (4, 6), np.uint8),
    ],
)
def test_round_trip(encoding, shape, dtype):
    image = random_image(*shape, dtype=dtype)
    header = Header(frame_id="camera")
    message = BRIDGE.cv2_to_imgmsg(image, encoding, header=header)
    assert (message.height, message.width, message.encoding) == (4, 6, encoding)
    assert message.step * message.height == len(message.data) == image.nbytes
    assert message.header.frame_id == "camera"
    back = BRIDGE.imgmsg_to_cv2(message)
    assert back.dtype == image.dtype
    np.testing.assert_array_equal(back, image)


def test_passthrough_names_the_generic_encoding():
    assert BRIDGE.cv2_to_imgmsg(random_image(2, 2, 3)).encoding == "8UC3"
    assert BRIDGE.cv2_to_imgmsg(random_image(2, 2, dtype=np.float32)).encoding == "32FC1"


@pytest.mark.parametrize("source", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8"])
@pytest.mark.parametrize("target", ["rgb8", "bgr8", "rgba8", "bgra8", "mono8"])
def test_colours(source, target):
    pixel = {"r": 200, "g": 100, "b": 50, "a": 255}
    order = "g" if source == "mono8" else source.rstrip("8")
    image = np.array([[[pixel[c] for c in order]] * 2] * 2, np.uint8).squeeze(
        axis=() if len(order) > 1 else 2
    )
    result = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(image, source), target)[0, 0]
    if source == "mono8":
        wanted = [100, 100, 100, 255]
        np.testing.assert_array_equal(
            result, 100 if target == "mono8" else wanted[: len(target) - 1]
        )
    elif target == "mono8":
        assert abs(int(result) - round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)) <= 1
    else:
        np.testing.assert_array_equal(result, [pixel[c] for c in target.rstrip("8")])


def test_depths_are_scaled_between_8_and_16_bits():
    message = BRIDGE.cv2_to_imgmsg(np.array([[0, 1, 128, 255]], np.uint8), "mono8")
    np.testing.assert_array_equal(
        BRIDGE.imgmsg_to_cv2(message, "mono16"), [[0, 257, 128 * 257, 65535]]
    )
    message = BRIDGE.cv2_to_imgmsg(np.array([[0, 256, 65535]], np.uint16), "mono16")
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message, "mono8"), [[0, 1, 255]])
    rgb = BRIDGE.imgmsg_to_cv2(message, "rgb8")
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb[0, 2], [255, 255, 255])


def test_other_depths_are_rounded_and_clipped():
    message = BRIDGE.cv2_to_imgmsg(np.array([[-3.0, 2.6, 300.0]], np.float32))
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message, "8UC1"), [[0, 3, 255]])
    message = BRIDGE.cv2_to_imgmsg(np.array([[1, 65535]], np.uint16), "16UC1")
    result = BRIDGE.imgmsg_to_cv2(message, "32FC1")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[1.0, 65535.0]])


def test_bayer_and_yuv():
    red = np.zeros((8, 8), np.uint8)
    red[0::2, 0::2] = 255  # rggb: the red cells
    rgb = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(red, "bayer_rggb8"), "rgb8")
    assert rgb[4, 4].tolist() == [255, 0, 0]
    grey = np.full((2, 4, 2), 128, np.uint8)
    grey[..., 1] = 90  # yuv422 is U Y V Y
    for encoding, image in (("yuv422", grey), ("yuv422_yuy2", grey[..., ::-1].copy())):
        mono = BRIDGE.imgmsg_to_cv2(BRIDGE.cv2_to_imgmsg(image, encoding), "mono8")
        assert (mono == 90).all()


def test_a_row_may_be_longer_than_its_pixels():
    image = random_image(3, 5, 3)
    rows = b"".join(row.tobytes() + b"\xff\xff\xff" for row in image)
    np.testing.assert_array_equal(
        BRIDGE.imgmsg_to_cv2(image_message("rgb8", 3, 5, 18, rows)), image
    )


@pytest.mark.parametrize(
    ("encoding", "pixel", "dtype"),
    [("rgba8", 4, np.uint8), ("rgb8", 3, np.uint8), ("yuv422", 2, np.uint8), ("mono16", 2, "<u2")],
)
def test_a_row_that_is_no_whole_number_of_pixels_shears_the_image(encoding, pixel, dtype):
    """So whoever has such rows has to leave their padding out."""
    padded = random_image(4, 6 * pixel + pixel + 1)
    message = image_message(encoding, 4, 6, padded.shape[1], padded.tobytes())
    sheared = padded.ravel()[: 4 * 7 * pixel].reshape(4, 7 * pixel)[:, : 6 * pixel].copy()
    wanted = sheared.view(dtype).reshape(4, 6, -1).squeeze()
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message), wanted)


def test_a_step_below_the_width_makes_the_image_narrower():
    image = random_image(3, 4, 3)
    message = image_message("rgb8", 3, 5, 12, image.tobytes())
    np.testing.assert_array_equal(BRIDGE.imgmsg_to_cv2(message), image)


@pytest.mark.parametrize("encoding", ["mono8", "mono16"])
def test_another_byte_order(encoding):
    """Even of single bytes it fails with NumPy 2."""
    image = random_image(3, 5, dtype=np.uint8 if encoding == "mono8" else np.uint16)
    data = image.astype(image.dtype.newbyteorder(">")).tobytes()
    message = image_message(encoding, 3, 5, len(data) // 3, data, is_bigendian=True)
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        with pytest.raises(AttributeError, match="newbyteorder"):
            BRIDGE.imgmsg_to_cv2(message)
    else:
        result = BRIDGE.imgmsg_to_cv2(message)
        assert result.dtype.isnative
        np.testing.assert_array_equal(result, image)
    assert BRIDGE.cv2_to_imgmsg(random_image(3, 5, dtype=np.uint16).astype(">u2")).is_bigendian


@pytest.mark.parametrize(
    "convert",
    [
        lambda: BRIDGE.imgmsg_to_cv2(image_message("purple", 1, 1, 1, b"x")),
        lambda: BRIDGE.imgmsg_to_cv2(image_message("rgb8", 2, 2, 6, bytes(12)), "purple"),
        lambda: BRIDGE.imgmsg_to_cv2(image_message("8UC3", 2, 2, 6, bytes(12)), "rgb8"),
        lambda: BRIDGE.imgmsg_to_cv2(image_message("rgb8", 2, 2, 6, bytes(12)), "8UC1"),
        lambda: BRIDGE.imgmsg_to_cv2(image_message("rgb8", 2, 2, 6, bytes(12)), "bayer_rggb8"),
        lambda: BRIDGE.cv2_to_imgmsg(random_image(2, 2, 3), "rgba8"),
        lambda: BRIDGE.cv2_to_imgmsg(random_image(2, 2), "purple"),
    ],
)
def test_impossible_conversions(convert):
    with pytest.raises(CvBridgeError):
        convert()


def test_too_little_data_and_no_image_are_type_errors():
    with pytest.raises(TypeError):
        BRIDGE.imgmsg_to_cv2(image_message("rgb8", 10, 10, 30, bytes(299)))
    with pytest.raises(TypeError):
        BRIDGE.cv2_to_imgmsg([[1]], "mono8")
    with pytest.raises(ZeroDivisionError):
        BRIDGE.cv2_to_imgmsg(np.zeros((0, 4, 3), np.uint8), "rgb8")
    with pytest.raises(KeyError):
        BRIDGE.cv2_to_imgmsg(np.zeros((1, 1), np.uint32))


def test_compressed():
    image = random_image(8, 8, 3)
    message = BRIDGE.cv2_to_compressed_imgmsg(image, "png")
    assert message.format == "png"
    np.testing.assert_array_equal(BRIDGE.compressed_imgmsg_to_cv2(message), image)
    np.testing.assert_array_equal(
        BRIDGE.compressed_imgmsg_to_cv2(message, "rgb8"), image[..., ::-1]
    )
    broken = CompressedImage(format="png", data=bytes(message.data)[:20])
    assert BRIDGE.compressed_imgmsg_to_cv2(broken) is None
    assert BRIDGE.compressed_imgmsg_to_cv2(broken, "bgr8") is None
    with pytest.raises(CvBridgeError):
        BRIDGE.compressed_imgmsg_to_cv2(broken, "rgb8")
    with pytest.raises(cv2.error):
        BRIDGE.compressed_imgmsg_to_cv2(CompressedImage(format="png"))
    with pytest.raises(cv2.error):
        BRIDGE.cv2_to_compressed_imgmsg(image, "nothing")


def test_types():
    assert getCvType("rgb8") == cv2.CV_8UC3
    assert getCvType("16UC2") == cv2.CV_16UC2
    assert getCvType("32F") == cv2.CV_32FC1
    assert BRIDGE.encoding_to_dtype_with_channels("bgra16") == ("uint16", 4)
    assert BRIDGE.dtype_with_channels_to_cvtype2(np.dtype("float64"), 3) == "64FC3"
    assert BRIDGE.cvtype2_to_dtype_with_channels(cv2.CV_16SC3) == ("int16", 3)
