"""Raw images of every encoding, however a camera lays out its rows; poses that are none."""

import array
import math

import numpy as np
import pytest
from geometry_msgs.msg import Pose
from sensor_msgs.msg import Image

from cv_bridge import CvBridgeError
from vla_contract.image_pixels import BYTES_PER_PIXEL
from vla_perception import perception_conversions
from vla_perception.observe.stamped_streams import Drop, Refused
from vla_perception.perception_conversions import check_pose, raw_pixels

HEIGHT, WIDTH = 6, 8


def message(encoding: str, rows: np.ndarray, padding: int = 0) -> Image:
    """An image whose rows end in bytes that are no pixels. rows: uint8, (H, bytes of pixels)."""
    width = rows.shape[1] // BYTES_PER_PIXEL[encoding]
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=255)
    data = array.array("B", rows.tobytes())
    return Image(height=len(rows), width=width, encoding=encoding, step=rows.shape[1], data=data)


def scene(encoding: str) -> np.ndarray:
    row = WIDTH * BYTES_PER_PIXEL[encoding]
    return np.random.default_rng(1).integers(0, 200, (HEIGHT, row), dtype=np.uint8)


def rgb(image: Image) -> np.ndarray:
    pixels, bgr = raw_pixels(image)
    return pixels[..., ::-1] if bgr else pixels


@pytest.mark.parametrize("encoding", BYTES_PER_PIXEL)
@pytest.mark.parametrize("padding", range(1, 9))
def test_padding_of_any_length_changes_nothing(encoding, padding):
    plain = rgb(message(encoding, scene(encoding)))
    assert plain.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(rgb(message(encoding, scene(encoding), padding)), plain)


@pytest.mark.parametrize("encoding", [e for e in BYTES_PER_PIXEL if not e.endswith("16")])
def test_bytes_have_no_order(encoding):
    """Some drivers say big-endian of every image."""
    image = message(encoding, scene(encoding))
    plain = rgb(image)
    image.is_bigendian = 1
    np.testing.assert_array_equal(rgb(image), plain)


@pytest.mark.parametrize("encoding", ["yuv422", "yuv422_yuy2", "uyvy", "yuyv"])
def test_both_names_of_the_yuv_encodings(encoding):
    luminance_first = encoding in ("yuv422_yuy2", "yuyv")
    pixel = (90, 128) if luminance_first else (128, 90)
    grey = rgb(message(encoding, np.tile(np.uint8(pixel), (HEIGHT, WIDTH))))
    assert np.ptp(grey) == 0 and grey[0, 0, 0] == 86  # 90 of 16 to 235


@pytest.mark.parametrize("encoding", [e for e in BYTES_PER_PIXEL if e.endswith("16")])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("padding", [0, 3])
def test_of_16_bits_the_upper_8_are_the_picture(encoding, order, padding):
    narrow = encoding[:-2] + "8"
    expected = scene(narrow)
    wide = (expected.astype(np.uint16) * 256 + 17).astype(f"{order}u2").view(np.uint8)
    image = message(encoding, wide, padding)
    image.is_bigendian = int(order == ">")
    np.testing.assert_array_equal(rgb(image), rgb(message(narrow, expected)))


@pytest.mark.parametrize(
    ("encoding", "pixel", "expected"),
    [
        ("rgb8", (10, 20, 30), (10, 20, 30)),
        ("bgr8", (10, 20, 30), (30, 20, 10)),
        ("rgba8", (10, 20, 30, 99), (10, 20, 30)),
        ("bgra8", (10, 20, 30, 99), (30, 20, 10)),
        ("mono8", (77,), (77, 77, 77)),
        ("8UC1", (77,), (77, 77, 77)),
        ("mono16", (5, 77), (77, 77, 77)),
        ("rgb16", (1, 10, 2, 20, 3, 30), (10, 20, 30)),
        ("bgra16", (1, 10, 2, 20, 3, 30, 4, 99), (30, 20, 10)),
    ],
)
def test_values_of_pixels(encoding, pixel, expected):
    pixels = rgb(message(encoding, np.tile(np.uint8(pixel), (HEIGHT, WIDTH))))
    assert pixels.shape == (HEIGHT, WIDTH, 3) and (pixels == expected).all()


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("16UC1", "which is depth or another measurement"),
        ("32FC1", "which is depth or another measurement"),
        ("8UC3", "which does not say what its channels are"),
        ("nv12", "encoding is 'nv12'; accepted: rgb8, "),
        ("", "encoding is ''; accepted: rgb8, "),
    ],
)
def test_an_encoding_that_is_not_accepted_says_why_and_which_are(encoding, words):
    image = Image(height=2, width=2, encoding=encoding, step=8, data=bytes(16))
    with pytest.raises(Refused, match=words) as refused:
        raw_pixels(image)
    accepted = str(refused.value).split("accepted: ")[1].split(", ")
    assert accepted == list(BYTES_PER_PIXEL)


def test_the_message_itself_is_left_as_it_is():
    image = message("rgba8", scene("rgba8"), padding=5)
    before = str(image)
    raw_pixels(image)
    assert str(image) == before


def test_what_cannot_be_converted_says_so(monkeypatch):
    def refuse(*_):
        raise CvBridgeError("no such conversion")

    monkeypatch.setattr(perception_conversions._BRIDGE, "imgmsg_to_cv2", refuse)
    with pytest.raises(Refused, match="mono8 cannot be converted: no such") as refused:
        raw_pixels(message("mono8", scene("mono8")))
    assert refused.value.reason is Drop.ENCODING


@pytest.mark.parametrize(
    ("w", "reason"),
    [(0.0, Drop.INVALID), (2.0, Drop.INVALID), (0.5, Drop.INVALID), (math.nan, Drop.NOT_FINITE)],
)
def test_a_pose_without_a_rotation_is_refused(w, reason):
    pose = Pose()
    check_pose(pose)
    pose.orientation.w = w
    with pytest.raises(Refused) as refused:
        check_pose(pose)
    assert refused.value.reason is reason
