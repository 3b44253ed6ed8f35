"""Pictures: the newest only, at a bounded rate, and no bad one ends it."""

import threading
import time

import cv2
import numpy as np
import pytest

from vla_console.camera_pictures import CameraPictures, Encoded, jpeg_of


@pytest.fixture
def pictures():
    shown, problems = [], []
    made = CameraPictures(shown.append, 30.0, problems.append)
    yield made, shown, problems
    made.close()


def wait(condition):
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_the_newest_is_shown_and_what_came_between_is_not_decoded(pictures):
    made, shown, _ = pictures
    busy, begun, decoded = threading.Event(), threading.Event(), []

    def encode(data):
        begun.set()
        decoded.append(data)
        assert busy.wait(20.0)
        return Encoded(bytes([data]), 1, 1, data)

    made.offer("front", 1, encode)
    assert begun.wait(20.0)
    for number in range(2, 50):
        made.offer("front", number, encode)
    busy.set()
    wait(lambda: len(shown) == 2)
    assert decoded == [1, 49] and [p.encoded.stamp for p in shown] == [1, 49]
    assert [p.sequence for p in shown] == [1, 2] and made.received == 49


def test_the_rate_is_bounded_for_each_camera():
    shown, times = [], []

    def show(picture):
        shown.append(picture.camera)
        times.append((picture.camera, time.monotonic()))

    made = CameraPictures(show, 20.0, print)
    begin = time.monotonic()
    while len(shown) < 12:
        for camera in ("front", "wrist"):
            made.offer(camera, 1, lambda data: Encoded(b"", 1, 1, 0))
        time.sleep(0.001)
        assert time.monotonic() - begin < 20.0
    made.close()
    for camera in ("front", "wrist"):
        own = [at for name, at in times if name == camera]
        assert len(own) >= 3, "both have their turn"
        assert own[-1] - own[0] >= 0.5 * (len(own) - 1) / 20.0


def test_a_picture_that_is_none_is_reported_and_the_next_one_comes(pictures):
    made, shown, problems = pictures

    def encode(data):
        if data == 1:
            raise ValueError("no picture")
        return Encoded(b"", 1, 1, 0)

    made.offer("front", 1, encode)
    wait(lambda: problems)
    assert problems == ["camera front: ValueError: no picture"]
    made.offer("front", 2, encode)
    wait(lambda: shown)


def test_wide_pictures_are_reduced():
    pixels = np.full((300, 400, 3), (0, 0, 255), np.uint8)
    encoded = jpeg_of(pixels, 200, 90, 7)
    assert (encoded.width, encoded.height, encoded.stamp) == (200, 150, 7)
    back = cv2.imdecode(np.frombuffer(encoded.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert back.shape == (150, 200, 3) and back[75, 100, 2] > 240
    assert jpeg_of(pixels, 4000, 90, 0).width == 400
