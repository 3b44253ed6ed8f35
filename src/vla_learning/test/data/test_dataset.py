from dataclasses import replace

import numpy as np
import pytest

from vla_learning.data.dataset import label, load_frames
from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.data.tracks import Track
from vla_learning.tiny_learning import demonstration, write_dataset
from vla_learning.train.sampling import Sampler, colour, shift
from vla_learning.train.tokenizer_fit import build_tokenizer, encode_commands


def track(requested, success=38, frames=(), ratio=1.0):
    at = np.arange(len(requested)) * ratio
    frames, empty = np.array(frames), np.zeros((len(frames), 0))
    return Track(None, 0, frames, empty, empty, at, requested, success)


def test_label_is_what_the_expert_asked_for_next(space):
    requested = np.random.default_rng(0).uniform(-0.8, 0.8, (50, 4))
    actions, mask, left = label(track(requested, frames=[4, 8]), 1, space, done_delay=12)
    assert actions.shape == (32, 4) and actions.dtype == np.float32
    assert np.allclose(space.to_si(actions), requested[8:40], atol=1e-6)
    assert mask.all()
    assert left == 32  # 42 to go, capped at the length of a chunk


def test_label_at_the_end_masks_what_was_not_recorded(space):
    episode = track(np.zeros((50, 4)), frames=[40, 36])
    _, mask, left = label(episode, 0, space, done_delay=2)
    assert mask.tolist() == [1.0] * 10 + [0.0] * 22
    assert left == 0
    assert label(episode, 1, space, done_delay=2)[2] == 4


def test_label_clips_requests_beyond_the_range(space):
    episode = track(np.full((50, 4), 3.0), frames=[0])
    assert label(episode, 0, space, 0)[0].max() == 1.0


def test_label_interpolates_where_the_dataset_has_fewer_actions(space):
    requested = np.linspace(0.0, 0.8, 20)[:, None].repeat(4, 1)
    actions, mask, _ = label(track(requested, frames=[8.0], ratio=2.5), 0, space, 0)
    known = mask.astype(bool)
    assert known.tolist() == [True] * 32
    assert np.allclose(np.diff(space.to_si(actions)[:, 0]), 0.8 / 19 / 2.5, atol=1e-6)


def sampler(data, settings, space, **changes):
    frames = load_frames(data, settings, space)
    tokens = encode_commands(
        build_tokenizer(settings.commands, settings.max_words), settings.commands
    )
    return frames, Sampler(frames, tokens, replace(settings.train, **changes))


def test_frames_of_all_tasks(data, settings, space):
    frames = load_frames(data, settings, space)
    assert frames.count == 4 * 13
    assert np.bincount(frames.task).tolist() == [26, 26]
    assert frames.images.dtype == np.uint8
    assert frames.actions.shape == (52, 32, 4)
    first = demonstration("one", 0)
    assert np.array_equal(frames.state[:13], first.state)
    rows = space.to_normalised(first.requested[4:36])
    assert np.allclose(frames.actions[1], rows, atol=1e-6)
    assert np.abs(frames.images[:13].astype(float) - first.images).mean() < 4.0


@pytest.mark.usefixtures("dataset_libraries")
def test_a_task_without_demonstrations_is_named(settings, space, tmp_path):
    write_dataset(tmp_path / "half", settings, [demonstration("one")])
    with pytest.raises(DemonstrationError, match="no demonstrations of two .*vla learn collect"):
        load_frames(tmp_path / "half", settings, space)


def test_pictures_are_made_smaller_but_not_larger(data, settings, space):
    assert load_frames(data, replace(settings, height=16), space).images.shape[2:] == (16, 32, 3)
    with pytest.raises(DemonstrationError, match="is 32x32; the config asks for 64x32"):
        load_frames(data, replace(settings, width=64), space)


def test_a_batch_depends_on_the_step_alone(data, settings, space):
    _, a = sampler(data, settings, space)
    _, b = sampler(data, settings, space)
    a.batch(0)
    for name, value in vars(a.batch(7)).items():
        assert np.array_equal(value, getattr(b.batch(7), name)), name
    assert not np.array_equal(a.batch(6).images, a.batch(7).images)


def test_an_epoch_shows_every_frame_once(data, settings, space):
    clean = {"shift_pixels": 0, "brightness": 0.0, "contrast": 0.0}
    frames, one = sampler(data, settings, space, **clean)
    seen = np.concatenate([one.batch(step).steps_left for step in range(13)])
    assert sorted(seen) == sorted(frames.steps_left)


def test_ranks_share_a_batch(data, settings, space):
    _, one = sampler(data, settings, space)
    whole = one.batch(3)
    shares = [one.batch(3, rank, 2) for rank in range(2)]
    assert [len(s.images) for s in shares] == [2, 2]
    assert np.array_equal(shares[0].actions, whole.actions[0::2])
    assert np.array_equal(shares[1].actions, whole.actions[1::2])


def test_camera_dropout_takes_one_camera_at_most(data, settings, space):
    _, one = sampler(data, settings, space, camera_dropout=1.0)
    assert (one.batch(0).camera_mask.sum(1) == 1).all()
    _, none = sampler(data, settings, space, camera_dropout=0.0)
    assert (none.batch(0).camera_mask == 1).all()


def test_dropped_state_and_words(data, settings, space):
    frames, one = sampler(data, settings, space, state_dropout=1.0, word_dropout=1.0)
    batch = one.batch(0)
    assert np.allclose(batch.state, frames.state.mean(0), atol=1e-6)
    for tokens, count in zip(batch.tokens, batch.word_count, strict=True):
        assert (tokens[:count] == 1).all() and (tokens[count:] == 0).all()


def test_shift_moves_and_repeats_the_border():
    image = np.arange(36, dtype=np.uint8).reshape(1, 1, 6, 6, 1).repeat(3, -1)
    rng = np.random.default_rng(0)
    results = {shift(image, 1, rng)[0, 0, 1:5, 1:5, 0].tobytes() for _ in range(200)}
    assert len(results) == 9
    assert np.array_equal(shift(image, 0, rng), image)


def test_colour_keeps_the_range_and_no_change_is_no_change():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (2, 2, 8, 8, 3), dtype=np.uint8)
    changed = colour(image, 0.5, 0.5, rng)
    assert changed.dtype == np.float32 and changed.min() >= 0 and changed.max() <= 255
    assert not np.allclose(changed, image)
