"""Reading pixels, and the one resize."""

import array

import numpy as np
import pytest

from vla_contract.image_pixels import pixels_of, resize_area


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("padding", range(8))
@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 7), (8, 2)])
def test_pixels_are_read_in_place_with_and_without_padding(height, width, padding, channels):
    step = width * channels + padding
    data = array.array("B", bytes(i % 251 for i in range(step * height)))
    pixels = pixels_of(data, height, width, step, channels)
    assert pixels.shape == (height, width, channels)
    for y in range(height):
        assert pixels[y].tobytes() == bytes(data[y * step : y * step + width * channels])
    assert np.shares_memory(pixels, np.frombuffer(data, np.uint8))


def test_data_of_another_length_is_refused():
    with pytest.raises(ValueError, match="cannot reshape"):
        pixels_of(bytes(17), 2, 3, 9)


def test_averages_areas():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = 200
    image[0, 0] = 0
    assert resize_area(image, 2, 2)[:, :, 0].tolist() == [[150, 0], [0, 0]]


def test_keeps_the_image_where_nothing_is_to_be_done():
    image = np.zeros((4, 6, 3), np.uint8)
    assert resize_area(image, 0, 0) is image
    assert resize_area(image, 4, 6) is image


@pytest.mark.parametrize(
    ("shape", "dtype"), [((4, 4), "u1"), ((4, 4, 4), "u1"), ((0, 4, 3), "u1"), ((4, 4, 3), "f4")]
)
def test_refuses_what_is_no_image(shape, dtype):
    with pytest.raises(ValueError, match="accepted: uint8"):
        resize_area(np.zeros(shape, dtype), 2, 2)


@pytest.mark.parametrize("size", [(-1, 2), (0, 2), (2, 0)])
def test_refuses_a_size(size):
    with pytest.raises(ValueError, match="size wanted"):
        resize_area(np.zeros((4, 4, 3), np.uint8), *size)
