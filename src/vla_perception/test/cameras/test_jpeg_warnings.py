"""libjpeg's warnings, and that nothing else on standard error is lost."""

import os

import cv2
import numpy as np
import pytest

from vla_perception.cameras.camera_images import DamageLimits, decode
from vla_perception.cameras.jpeg_warnings import Listener
from vla_perception.observe.stamped_streams import Drop, Refused

RANDOM = np.random.default_rng(5)
PIXELS = cv2.GaussianBlur(RANDOM.integers(0, 255, (240, 320, 3), dtype=np.uint8), (9, 9), 3)
JPEG = cv2.imencode(".jpg", PIXELS)[1].tobytes()
MIDDLE = len(JPEG) // 2


def test_a_whole_jpeg_is_silent():
    for _ in range(3):
        assert decode(JPEG)[0].shape == PIXELS.shape


@pytest.mark.parametrize(
    "damaged",
    [
        JPEG[:MIDDLE] + JPEG[MIDDLE + 500 :],  # a part was lost
        JPEG[:MIDDLE] + JPEG[-2:],  # half of it, with its end
        JPEG[:MIDDLE] + b"\xff\xd0" + JPEG[MIDDLE:],  # a marker where none belongs
    ],
    ids=["part lost", "half", "marker"],
)
def test_a_damaged_jpeg_with_its_end_is_corrupt(damaged, capfd):
    with pytest.raises(Refused, match="damaged: ") as refused:
        decode(damaged)
    assert refused.value.reason is Drop.CORRUPT
    assert capfd.readouterr().err == "", "said once, by the node"


def with_scan_parameters(content):
    """With parameters of the scan that mean nothing in a sequential JPEG."""
    at = content.index(b"\xff\xda") + 11
    assert content[at : at + 3] == b"\0\x3f\0"
    return content[:at] + b"\0\0\0" + content[at + 3 :]


def with_adobe(content):
    adobe = b"\xff\xee" + (14).to_bytes(2, "big") + b"Adobe\0\x64\0\0\0\0\x07"
    return content[:2] + adobe + content[2:]


RESTARTS = cv2.imencode(".jpg", PIXELS, [cv2.IMWRITE_JPEG_RST_INTERVAL, 20])[1].tobytes()
HARMLESS = [
    with_scan_parameters(JPEG),
    with_adobe(JPEG),
    JPEG[:-2] + b"\0" * 2000 + JPEG[-2:],  # filled up before its end
    JPEG[:-2] + b"\xff" * 100 + JPEG[-2:],
    JPEG[:-2] + bytes(range(20)) + JPEG[-2:],  # flushed
    with_adobe(with_scan_parameters(JPEG[:-2] + b"\0" * 500 + JPEG[-2:])),
]


@pytest.mark.parametrize("content", HARMLESS)
@pytest.mark.parametrize("behind", [b"", b"\0" * 100])
def test_remarks_that_change_no_pixel_refuse_nothing(content, behind, capfd):
    plain = decode(JPEG)[0]
    np.testing.assert_array_equal(decode(content + behind)[0], plain)
    decode(content + behind, 60, 80)
    assert capfd.readouterr().err == ""


def test_bytes_before_a_restart_are_no_damage_where_every_restart_is_there():
    at = RESTARTS.index(b"\xff\xd3", 600)
    stray = RESTARTS[:at] + bytes(range(1, 21)) + RESTARTS[at:]
    np.testing.assert_array_equal(decode(stray)[0], decode(RESTARTS)[0])
    later = stray.index(b"\xff\xd6", at)
    with pytest.raises(Refused, match="damaged"):
        decode(stray[:later] + stray[-2:])


@pytest.mark.parametrize("mask", [with_adobe, with_scan_parameters])
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9, 0.98])
def test_a_harmless_remark_hides_no_damage(mask, cut):
    short = JPEG[: int(len(JPEG) * cut)]
    with pytest.raises(Refused, match="damaged"):
        decode(mask(short + JPEG[-2:]))


def test_the_rest_of_a_scan_in_which_a_byte_is_wrong_is_damage():
    wrong = JPEG[:721] + bytes([JPEG[721] ^ 0x55]) + JPEG[722:]
    with pytest.raises(Refused, match="damaged: Corrupt JPEG data: 63 extraneous bytes"):
        decode(wrong)
    decode(wrong, limits=DamageLimits(stray_bytes=63))
    decode(wrong, limits=DamageLimits(looked_for=False))


def test_what_others_write_meanwhile_is_passed_on(capfd):
    def noisy():
        os.write(2, b"other news\nCorrupt JPEG data: 3 extraneous bytes\n")
        return 7

    listener = Listener()
    assert listener.run(noisy) == (7, "Corrupt JPEG data: 3 extraneous bytes")
    assert listener.run(lambda: 8) == (8, "")
    assert capfd.readouterr().err == "other news\n"


def test_a_decoder_that_raises_gives_standard_error_back(capfd):
    def fails():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Listener().run(fails)
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"
