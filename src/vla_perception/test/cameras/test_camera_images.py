"""Images: what is accepted, what is refused and for which reason."""

import array
import contextlib
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.image_pixels import BYTES_PER_PIXEL, resize_area
from vla_perception.cameras.camera_images import DamageLimits, check_format, check_raw, decode
from vla_perception.observe.stamped_streams import Drop, Refused

PIXELS = np.random.default_rng(1).integers(0, 255, (18, 24, 3), dtype=np.uint8)
JPEG = cv2.imencode(".jpg", PIXELS)[1].tobytes()
PNG = cv2.imencode(".png", PIXELS)[1].tobytes()


def reason(call, *args) -> Drop:
    with pytest.raises(Refused) as refused:
        call(*args)
    return refused.value.reason


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        (("32FC1", 18, 24, 96, 18 * 96), Drop.ENCODING),
        (("", 18, 24, 72, 18 * 72), Drop.ENCODING),
        (("rgb8", 0, 24, 72, 0), Drop.SIZE),
        (("rgb8", 18, 0, 0, 0), Drop.SIZE),
        (("rgb8", 2**31, 2**31, 2**32 - 1, 12), Drop.SIZE),
        (("yuv422", 18, 23, 46, 18 * 46), Drop.SIZE),
        (("uyvy", 18, 23, 46, 18 * 46), Drop.SIZE),
        (("yuyv", 18, 23, 46, 18 * 46), Drop.SIZE),
        (("rgb8", 18, 24, 71, 18 * 71), Drop.STEP),
        (("rgba8", 18, 24, 72, 18 * 72), Drop.STEP),
        (("rgb8", 18, 24, 72, 18 * 72 - 1), Drop.LENGTH),
        (("rgb8", 18, 24, 72, 18 * 72 + 1), Drop.LENGTH),
        (("mono8", 18, 24, 24, 0), Drop.LENGTH),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(description, expected):
    assert reason(check_raw, *description) == expected


@given(st.sampled_from(sorted(BYTES_PER_PIXEL)), st.integers(1, 50), st.integers(1, 50),
       st.integers(0, 9))  # fmt: skip
def test_a_consistent_description_is_accepted(encoding, height, width, padding):
    width *= 2  # which the encodings with shared colours want
    step = width * BYTES_PER_PIXEL[encoding] + padding
    check_raw(encoding, height, width, step, step * height)


def test_complete_images_are_decoded_as_bgr():
    assert np.array_equal(decode(array.array("B", PNG))[0], PIXELS)
    assert decode(array.array("B", JPEG))[0].shape == PIXELS.shape
    assert decode(array.array("B", JPEG + b"\0\0\0"))[0].shape == PIXELS.shape  # padded by a driver


@pytest.mark.parametrize(
    ("size", "wanted", "reduction"),
    [
        ((480, 640), (0, 0), 1),
        ((480, 640), (480, 640), 1),
        ((480, 640), (241, 240), 1),
        ((480, 640), (120, 161), 1),
        ((480, 640), (120, 120), 2),
        ((480, 640), (60, 60), 4),
        ((480, 640), (8, 8), 4),
        ((482, 640), (60, 60), 2),  # a quarter of 482 is no whole number
        ((481, 640), (60, 60), 1),
        ((480, 642), (60, 60), 2),
        ((480, 641), (60, 60), 1),
        ((480, 480), (120, 120), 2),
        ((480, 480), (60, 121), 1),
        ((480, 480), (121, 60), 1),
        ((480, 640), (0, 60), 1),
        ((480, 640), (60, 0), 1),
    ],
)
def test_a_jpeg_is_decoded_no_finer_than_needed(size, wanted, reduction):
    content = cv2.imencode(".jpg", np.zeros((*size, 3), np.uint8))[1]
    pixels, found = decode(content, *wanted)
    assert found == reduction
    assert (pixels.shape[0] * found, pixels.shape[1] * found) == size
    assert decode(cv2.imencode(".png", np.zeros((*size, 3), np.uint8))[1], *wanted)[1] == 1


@pytest.mark.parametrize("side", [120, 60])
def test_what_is_resized_from_a_reduced_jpeg_is_as_near_to_the_picture(side):
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (640, 480), interpolation=cv2.INTER_CUBIC).astype(float)
    picture = np.clip(picture + rng.normal(0.0, 4.0, picture.shape), 0, 255).astype(np.uint8)
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    exact = resize_area(picture, side, side).astype(float)
    errors = []
    for wanted in ((0, 0), (side, side)):
        pixels, _ = decode(content, *wanted)
        errors.append(np.abs(resize_area(pixels, side, side) - exact).mean())
    assert errors[1] < 1.2 * errors[0] + 0.2, errors


@pytest.mark.parametrize("content", [JPEG, PNG], ids=["jpeg", "png"])
def test_every_truncation_is_refused(content):
    for length in range(len(content) - 1):
        for wanted in ((0, 0), (3, 4)):
            with pytest.raises(Refused):
                decode(content[:length], *wanted)


def test_reasons_of_refused_compressed_images():
    assert reason(decode, b"") == Drop.SIZE
    assert reason(decode, b"GIF89a" + bytes(100)) == Drop.ENCODING
    assert reason(decode, PNG[:-20]) == Drop.CORRUPT
    flipped = bytearray(PNG)
    flipped[len(PNG) // 2] ^= 0xFF
    assert reason(decode, bytes(flipped)) == Drop.CORRUPT
    assert reason(decode, JPEG[:2] + JPEG[-2:]) == Drop.CORRUPT


def test_a_header_that_claims_a_huge_image_is_not_allocated():
    start = JPEG.index(b"\xff\xc0")
    huge = JPEG[: start + 5] + struct.pack(">HH", 65535, 65535) + JPEG[start + 9 :]
    assert reason(decode, huge) == Drop.SIZE


@settings(max_examples=200)
@given(st.binary(max_size=200), st.sampled_from([b"", JPEG[:2], PNG[:8], PNG[:30], JPEG[:100]]))
def test_rubbish_is_refused_and_never_raises_anything_else(rubbish, start):
    with contextlib.suppress(Refused):
        decode(start + rubbish)


@pytest.mark.parametrize("behind", [b"\0" * 2000, b"\xab" * 70, bytes(range(256)), JPEG[200:]])
def test_bytes_behind_the_end_of_an_image_mean_nothing(behind, capfd):
    for content in (JPEG, PNG):
        np.testing.assert_array_equal(decode(content + behind)[0], decode(content)[0])
    assert capfd.readouterr().err == ""


def test_a_thumbnail_has_an_end_of_its_own():
    thumbnail = cv2.imencode(".jpg", PIXELS[:8, :8])[1].tobytes()
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    nested = JPEG[:2] + segment + JPEG[2:]
    np.testing.assert_array_equal(decode(nested)[0], decode(JPEG)[0])
    for length in range(len(nested) - 1):
        with pytest.raises(Refused):
            decode(nested[:length])


def test_bytes_behind_the_end_that_look_like_another_end(capfd):
    for behind in (JPEG[300:], b"\xff\xd9", JPEG):
        np.testing.assert_array_equal(decode(JPEG + behind)[0], decode(JPEG)[0])


def test_a_cut_off_jpeg_before_the_next_one_is_refused():
    assert reason(decode, JPEG[: len(JPEG) // 2] + JPEG) == Drop.CORRUPT


def test_a_png_comment_with_a_wrong_checksum_is_left_out():
    comment = struct.pack(">I", 4) + b"tEXt" + b"a\0bc" + b"rubb"
    np.testing.assert_array_equal(decode(PNG[:33] + comment + PNG[33:])[0], PIXELS)


@pytest.mark.parametrize("reduced", [(0, 0), (3, 4)])
def test_progressive_jpegs(reduced):
    content = cv2.imencode(".jpg", PIXELS, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    plain = decode(content, *reduced)[0]
    np.testing.assert_array_equal(decode(content + b"\0\1\2", *reduced)[0], plain)
    for length in range(0, len(content) - 1, 7):
        with pytest.raises(Refused):
            decode(content[:length], *reduced)


def test_with_the_search_for_damage_off_what_the_decoder_makes_is_taken():
    off = DamageLimits(looked_for=False)
    assert reason(decode, JPEG[:-200]) == Drop.CORRUPT
    assert decode(JPEG[:-200], limits=off)[0].shape == PIXELS.shape
    assert reason(lambda: decode(JPEG[:40], limits=off)) == Drop.CORRUPT


@pytest.mark.parametrize(
    "text",
    ["", "jpeg", "png", "jpeg compressed bgr8", "rgb8; jpeg compressed ", "mono8; png compressed "],
)
def test_formats_of_pictures(text):
    check_format(text)


@pytest.mark.parametrize(
    "text", ["16UC1; compressedDepth png", "32FC1; compressedDepth", "16UC1; png compressed "]
)
def test_formats_of_depth_are_refused(text):
    assert reason(check_format, text) == Drop.ENCODING


def test_a_format_that_is_refused_is_told_in_short():
    with pytest.raises(Refused, match=r"format is '16UC1x{35}', which is depth"):
        check_format("16UC1" + "x" * 90)


@pytest.mark.parametrize(
    ("description", "words"),
    [
        (("rgb8", 0, 24, 72, 0), "size is 24x0; accepted: 1 to 67108864 pixels"),
        (("rgb8", 8193, 8192, 1, 1), "size is 8192x8193; accepted: 1 to 67108864 pixels"),
        (("uyvy", 18, 23, 46, 828), "width is 23; accepted of uyvy: even, pairs share a colour"),
        (("rgb8", 18, 24, 71, 1278), "step is 71; accepted for 24 px of rgb8: at least 72"),
        (("rgb8", 18, 24, 72, 5), "data has 5 bytes; accepted: step * height = 1296"),
    ],
)
def test_a_description_is_refused_with_what_is_accepted(description, words):
    with pytest.raises(Refused) as refused:
        check_raw(*description)
    assert str(refused.value) == words


def test_the_smallest_and_the_largest_picture_are_accepted():
    check_raw("rgb8", 1, 1, 3, 3)
    check_raw("mono8", 8192, 8192, 8192, 8192 * 8192)
    one = np.zeros((1, 1, 3), np.uint8)
    for ending in (".png", ".jpg"):
        assert decode(cv2.imencode(ending, one)[1])[0].shape == (1, 1, 3)


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def test_a_png_is_whole_only_with_every_chunk_and_its_end():
    end = chunk(b"IEND", b"")
    assert PNG.endswith(end)
    for content in (PNG[: -len(end)], PNG[:-1], PNG[:33] + chunk(b"IDAT", b"x")[:-4], PNG[:24]):
        assert reason(decode, content) == Drop.CORRUPT
    wrong = bytearray(PNG)
    wrong[29] ^= 1  # the checksum of the header
    with pytest.raises(Refused, match=f"{len(PNG)} bytes are truncated or corrupt"):
        decode(bytes(wrong))
    off = DamageLimits(looked_for=False)
    with pytest.raises(Refused, match="bytes cannot be decoded"):
        decode(PNG[: -len(end)], limits=off)
    assert reason(lambda: decode(PNG[:20], limits=off)) == Drop.CORRUPT
    behind = PNG[: -len(end)] + end + b"\0" * 11
    assert np.array_equal(decode(behind)[0], PIXELS)


def test_what_the_decoder_makes_nothing_of_is_corrupt():
    for content in (PNG[:8] + PNG[8:33], JPEG[:200]):
        with pytest.raises(Refused, match=r"bytes cannot be decoded|Premature|damaged") as refused:
            decode(content, limits=DamageLimits(looked_for=False))
        assert refused.value.reason is Drop.CORRUPT


def test_a_header_of_a_png_that_claims_a_huge_image_is_refused_with_its_size():
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 8193, 8192, 8, 2, 0, 0, 0))
    with pytest.raises(Refused, match="size is 8193x8192; accepted: 1 to 67108864 pixels"):
        decode(PNG[:8] + header + PNG[33:])
