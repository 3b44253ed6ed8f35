import numpy as np
import pytest

from vla_policy import backends
from vla_policy.attention.attention_maps import LABEL, Attention, overlay
from vla_policy.backends import BackendError, BackendOptions
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import Policy
from vla_proof.test_support.tiny_checkpoints import CAMERAS


def attention(cells=16, words=("open", "it"), cameras=2, size=(48, 48)):
    weights = np.zeros((len(words), cells * cameras), np.float32)
    weights[0, 3] = 1.0  # first camera, first row, last of four columns
    weights[1:, -4] = 0.6  # last camera, last row, first column
    images = np.full((cameras, *size, 3), 100, np.uint8)
    return Attention(images, CAMERAS[:cameras], words, weights)


@pytest.mark.parametrize(
    ("cells", "size", "grid"),
    [
        (16, (48, 48), (4, 4)),
        (12, (96, 128), (3, 4)),
        (108, (240, 320), (9, 12)),
        (7, (8, 8), None),
    ],
)
def test_the_grid_has_the_picture_s_sides(cells, size, grid):
    found = attention(cells=cells, size=size).grid
    assert found[0] * found[1] == cells
    assert grid is None or found == grid


def test_the_picture_glows_where_the_word_looks():
    found = attention()
    picture = overlay(found, tile=64)
    assert picture.shape == (LABEL + 2 * 64, 3 * 64, 3) and picture.dtype == np.uint8
    assert (picture[LABEL + 2 : LABEL + 40, 2:62] == 100).all()  # the camera as it is
    tiles = picture[LABEL:].reshape(2, 64, 3, 64, 3).transpose(0, 2, 1, 3, 4).astype(int)
    first, second = tiles[0, 1], tiles[1, 2]
    for tile, (row, column) in ((first, (8, 56)), (second, (56, 8))):
        redness = tile[..., 0] - tile[..., 2]
        assert redness[row, column] > 60
        assert np.unravel_index(redness.argmax(), redness.shape) == pytest.approx(
            (row, column), abs=10
        )
    nothing = tiles[1, 1]  # the first word does not look at the second camera
    assert np.ptp(nothing[20:40, 20:40]) <= 2


def test_where_a_word_does_not_look_it_is_dark_and_grey_and_where_it_does_it_glows():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[..., 0], image[..., 1], image[..., 2] = 30, 60, 210  # grey: 100
    image[:, :16] //= 2
    weights = np.zeros((1, 16), np.float32)
    weights[0, 15] = 0.2  # relative to where it looks most
    picture = overlay(Attention(image, CAMERAS[:1], ("a",), weights), tile=160)
    plain, heated = picture[LABEL:, :160], picture[LABEL:, 160:]
    assert (plain[20, 20] == (15, 30, 105)).all() and (plain[120, 80] == (30, 60, 210)).all()
    assert (heated[30, 60] == 40).all(), "0.8 of the grey, 50, in the upper half"
    assert (heated[100, 40] == 80).all(), "and of 100 in the lower one"
    # The brightest colour of the map, and a quarter of the grey.
    assert heated[140, 140].tolist() == pytest.approx([252 * 0.75 + 20, 255 * 0.75 + 20,
                                                       164 * 0.75 + 20], abs=3)  # fmt: skip


def test_words_and_names_stand_where_they_belong_and_can_be_read():
    found = attention(words=("open", "ä"))
    picture = overlay(found, tile=160)
    lit = (picture >= 200).all(axis=2)
    rows, columns = np.nonzero(lit[:LABEL])
    assert {int(column) // 160 for column in columns} == {1, 2}, "a label above each word"
    first = columns[columns < 320]
    assert 163 <= first.min() <= 167 and 190 <= first.max() <= 205
    assert rows.min() >= 2 and LABEL - 9 <= rows.max() <= LABEL - 3
    for camera, name in enumerate(CAMERAS):
        bottom = LABEL + (camera + 1) * 160
        rows, columns = np.nonzero(lit[bottom - 160 : bottom, :160])
        assert rows.min() >= 138 and 150 <= rows.max() <= 158, name
        assert 3 <= columns.min() <= 7
    dark = (picture[: LABEL + 160] == 0).all(axis=2)[LABEL + 140 :, :100]
    assert dark.any(), "with a dark rim"


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"attention is \[2, 5\]; accepted: 2 words over as many"):
        Attention(np.zeros((2, 8, 8, 3), np.uint8), CAMERAS, ("a", "b"), np.zeros((2, 5)))


def test_of_an_observation(checkpoint_folder, observation):
    checkpoint = Checkpoint.load(checkpoint_folder)
    backend = backends.create("onnxruntime", BackendOptions(threads=1))
    backend.load(checkpoint)
    policy = Policy(checkpoint, backend)
    found = policy.attention(observation(command="open the door"))
    assert found.words == ("open", "the", "<unknown>")
    assert found.camera_names == CAMERAS
    assert found.weights.shape == (3, 32) and found.weights[2, 2] == 1.0
    assert policy.attention(observation(command=None)) is None
    assert policy.attention(observation(command="fetch coffee")) is None


def test_a_backend_that_does_not_tell(space, observation):
    checkpoint = Checkpoint.without_weights(space)
    backend = backends.create("constant", BackendOptions())
    backend.load(checkpoint)
    with pytest.raises(BackendError, match="constant does not tell where the words look"):
        Policy(checkpoint, backend).attention(observation())
