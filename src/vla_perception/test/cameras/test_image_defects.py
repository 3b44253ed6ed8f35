"""Pictures that show nothing, or not what they should."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_perception.cameras.image_defects import (
    ContentCheck,
    DetectorLimits,
    black,
    half,
    sample,
    saturated,
    uniform,
)
from vla_perception.observe.stamped_streams import Drop

RANDOM = np.random.default_rng(3)
GOOD = RANDOM.integers(0, 255, (48, 64, 3), dtype=np.uint8)


def filled(value, noise=0.0, shape=(48, 64, 3)):
    values = value + RANDOM.normal(0.0, 1.0, shape) * noise
    return np.clip(values, 0, 255).astype(np.uint8)


def lower_part(value, share):
    pixels = GOOD.copy()
    pixels[round(48 * (1 - share)) :] = value
    return pixels


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (filled(0), Drop.BLACK),
        (filled(1, noise=1.5), Drop.BLACK),  # a lens cap
        (filled(255), Drop.SATURATED),
        (filled(254, noise=1.0), Drop.SATURATED),
        (filled(90), Drop.UNIFORM),
        (filled((10, 90, 200)), Drop.UNIFORM),
        (lower_part(128, 0.5), Drop.HALF),  # what a decoder fills in
        (lower_part(0, 0.35), Drop.HALF),
        (GOOD[:24], Drop.CHANGED_SIZE),
        (np.concatenate([GOOD, GOOD]), Drop.CHANGED_SIZE),
    ],
)
def test_each_detector_names_itself(pixels, reason):
    check = ContentCheck(DetectorLimits())
    assert check.check(GOOD) is None
    defect = check.check(pixels)
    assert defect is not None and defect.reason is reason
    assert "accepted" in defect.text and "\n" not in defect.text


def test_sizes_may_change_where_that_is_allowed():
    check = ContentCheck(DetectorLimits(size_changes=True))
    assert check.check(GOOD) is None and check.check(GOOD[:24]) is None


@pytest.mark.parametrize(
    "pixels",
    [
        GOOD,
        filled(12, noise=3.0),  # a dark room
        filled(200, noise=3.0),  # a white wall
        lower_part(250, 0.2),
        np.repeat(np.arange(48, dtype=np.uint8)[:, None, None], 64, 1).repeat(3, 2) * 4,
    ],
)
def test_real_pictures_pass(pixels):
    assert ContentCheck(DetectorLimits()).check(pixels) is None


def test_a_configured_size_holds_from_the_first_picture_on():
    check = ContentCheck(DetectorLimits(width=32, height=24))
    defect = check.check(GOOD)
    assert defect is not None and "size is 64x48; accepted: 32x24" in defect.text
    assert check.check(GOOD[:24, :32]) is None
    assert check.check(GOOD[:12, :16], 2) is None
    assert check.check(GOOD[:24, :32], 2) is not None


def test_a_bad_first_picture_does_not_set_the_size():
    check = ContentCheck(DetectorLimits())
    assert check.check(filled(0, shape=(24, 32, 3))) is not None
    assert check.check(GOOD) is None


def test_zero_turns_a_detector_off():
    off = DetectorLimits(0.0, 0.0, 0.0, 0.0)
    for pixels in (filled(0), filled(255), filled(90), lower_part(128, 0.5)):
        assert ContentCheck(off).check(pixels) is None


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 255))
def test_the_smallest_pictures_are_looked_at_as_well(height, width, value):
    pixels = filled(value, shape=(height, width, 3))
    assert sample(pixels).size
    assert ContentCheck(DetectorLimits()).check(pixels) is not None


@given(st.floats(0.0, 1.0), st.floats(0.05, 1.0))
def test_half_fires_from_its_share_on(part, share):
    rows = round(48 * part)
    pixels = GOOD.copy()
    pixels[48 - rows :] = 7
    assert (half(pixels, share) is not None) == (rows / 48 >= share)


@given(st.floats(0.05, 0.95))
def test_saturated_counts_only_what_is_clipped_in_every_channel(share):
    one_channel = GOOD.copy()
    one_channel[..., 0] = 255
    assert saturated(one_channel, max(share, 0.2)) is None
    assert black(sample(GOOD), 250.0 * share) is None


def test_the_cost_of_a_vga_picture():
    pixels = RANDOM.integers(0, 255, (480, 640, 3), dtype=np.uint8)
    check, times = ContentCheck(DetectorLimits()), []
    for _ in range(50):
        start = time.perf_counter()
        assert check.check(pixels) is None
        times.append(time.perf_counter() - start)
    assert min(times) < 1e-3, "0.3 ms on an idle machine"


def rows(constant, height=10, width=40):
    """A picture whose last rows are of one colour, and the others differ from each other."""
    pixels = RANDOM.integers(0, 255, (height, width, 3), dtype=np.uint8)
    pixels[height - constant :] = (1, 2, 3)
    return pixels


@pytest.mark.parametrize("constant", range(11))
def test_half_counts_the_rows_that_are_of_one_colour(constant):
    pixels = rows(constant)
    found = [share / 10 for share in range(1, 11) if half(pixels, share / 10) is not None]
    assert found == [share / 10 for share in range(1, constant + 1)]
    if constant:
        assert f"its lower {constant / 10:.0%} are one colour" in half(pixels, 0.1).text


def test_one_pixel_of_the_last_row_says_that_the_picture_came_whole():
    for column in (0, 1, 5, 39):
        pixels = rows(5, width=40)
        pixels[-1, column] += 1
        assert half(pixels, 0.2) is None, column
    narrow = rows(5, width=2)
    narrow[-1, 1] += 1
    assert half(narrow, 0.2) is None


def test_the_sample_is_a_grid_of_about_32_pixels_a_side():
    assert sample(np.zeros((480, 640, 3), np.uint8)).shape == (32, 32, 3)
    assert sample(np.zeros((48, 63, 3), np.uint8)).shape == (48, 63, 3)


def test_the_limits_themselves_are_accepted():
    assert uniform(filled(90), 0.0) is None and uniform(filled(90), 0.1).reason is Drop.UNIFORM
    two = np.zeros((10, 10, 3), np.uint8)
    two[::2] = 2  # deviates by 1 exactly
    assert uniform(two, 1.0) is None and uniform(two, 1.01) is not None
    dark = np.zeros((10, 10, 3), np.uint8)
    dark[0, 0] = 6  # 1 % at the level
    assert black(dark, 6.0) is not None
    dark[0, 1, 0] = 6
    assert black(dark, 6.0) is None
    clipped = np.zeros((10, 10, 3), np.uint8)
    clipped[:5] = 250
    assert saturated(clipped, 0.5) is None
    clipped[5, 0] = 250
    assert saturated(clipped, 0.5).text.startswith("saturated: 51% of it is clipped")
    clipped[5, 0, 1] = 0
    assert saturated(clipped, 0.5) is None, "one channel of it is not"


def test_a_size_of_which_one_side_is_given_is_that_of_the_first_picture():
    for limits in (DetectorLimits(width=32), DetectorLimits(height=24)):
        assert ContentCheck(limits).check(GOOD) is None
