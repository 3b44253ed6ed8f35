"""libjpeg's warnings, and that nothing else on standard error is lost."""

import os

import cv2
import numpy as np
import pytest

from vla_perception.images import decode
from vla_perception.jpeg_warnings import Listener
from vla_perception.streams import Drop, Refused

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
