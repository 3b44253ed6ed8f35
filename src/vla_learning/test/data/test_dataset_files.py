"""A dataset on disk: what is written is read back, and what is damaged is named."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from vla_learning.data import lerobot_format as form
from vla_learning.data.dataset import load_frames
from vla_learning.data.dataset_writer import STAGING, open_writer
from vla_learning.data.demonstrations import LANDMARKS, DemonstrationError
from vla_learning.data.feature_statistics import of_images, of_values, together
from vla_learning.data.frame_cache import FOLDER, cached_images
from vla_learning.data.lerobot_reader import LeRobotDataset, flat_names
from vla_learning.tiny_learning import demonstration, pictures

pytest.importorskip("av")
pytest.importorskip("pyarrow")


def test_written_and_read_back(data, settings, space):
    dataset = LeRobotDataset(data)
    assert (dataset.version, dataset.fps, dataset.tasks()) == (
        "v3.0", 20, ["open the door", "shut it"],
    )  # fmt: skip
    assert [e.length for e in dataset.episodes] == [13] * 4
    one = demonstration("two", 10)
    episode = dataset.episodes[2]  # by their seeds: 0, 1, 10, 11
    assert np.array_equal(dataset.column(episode, form.STATE), one.state)
    assert np.array_equal(dataset.column(episode, form.ACTION), one.requested[one.image_ticks])
    rows = dataset.column(episode, form.REQUESTED).reshape(13, -1, 4)
    counts = dataset.column(episode, form.ROW_COUNT)
    assert counts.tolist() == [4] * 12 + [2]
    kept = np.concatenate([row[:count] for row, count in zip(rows, counts, strict=True)])
    assert np.array_equal(kept, one.requested)
    success = dataset.column(episode, form.SUCCESS)
    assert success.tolist() == [tick + 4 >= 38 for tick in one.image_ticks]
    for camera, name in enumerate(settings.cameras):
        seen = np.stack(list(dataset.frames(episode, form.IMAGES + name)))
        assert signal_to_noise(seen, one.images[:, camera]) > 38.0


def signal_to_noise(a, b):
    return 10 * np.log10(255**2 / ((a.astype(float) - b) ** 2).mean())


def test_statistics_are_those_of_all_frames(data, settings):
    whole = form.read_json(data / form.STATS)
    dataset = LeRobotDataset(data)
    state = np.concatenate([dataset.column(e, form.STATE) for e in dataset.episodes])
    assert np.allclose(whole[form.STATE]["mean"], state.mean(0))
    assert np.allclose(whole[form.STATE]["std"], state.std(0))
    assert whole[form.STATE]["count"] == [52]
    assert np.shape(whole[form.IMAGES + "corner2"]["q50"]) == (3, 1, 1)
    parts = [of_values(np.arange(4.0)), of_values(np.arange(6.0))]
    assert together(parts)["mean"] == pytest.approx(np.r_[0:4, 0:6].mean())


@pytest.mark.parametrize("count", [1, 3, 130])
def test_statistics_of_images_are_those_of_their_pixels(count):
    frames = np.random.default_rng(count).integers(0, 256, (count, 5, 7, 3)).astype(np.uint8)
    frames[..., 0] = 255
    seen = frames[:: 2 if count > 100 else 1]
    pixels = of_values(seen.reshape(-1, 3))
    for name, value in of_images(frames).items():
        wanted = [len(seen)] if name == "count" else pixels[name] / 255.0
        np.testing.assert_allclose(value.ravel(), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda f: (f / form.INFO).unlink(), "is no LeRobot dataset"),
        (lambda f: (f / form.INFO).write_text("{"), "info.json: not JSON"),
        (lambda f: change(f, codebase_version="v1.6"), "version v1.6.*accepted: v3.0 and v2.1"),
        (lambda f: change(f, fps="fast"), "could not convert .* accepted: an info.json"),
        (lambda f: next(f.glob("meta/episodes/*/*")).write_bytes(b"x"), "file-000.parquet: "),
        (lambda f: next(f.glob("data/*/*")).unlink(), "file-000.parquet"),
        (lambda f: next(f.glob("videos/*/*/*")).write_bytes(b"x" * 99), "episode 0: video .*mp4"),
    ],
)
def test_what_is_damaged_is_named(data, damage, text):
    damage(data)
    with pytest.raises(DemonstrationError, match=text) as caught:
        dataset = LeRobotDataset(data)
        dataset.column(dataset.episodes[0], form.STATE)
        for feature in dataset.episodes[0].videos:
            list(dataset.frames(dataset.episodes[0], feature))
    assert "\n" not in str(caught.value)


def change(folder, **values):
    info = json.loads((folder / form.INFO).read_text())
    form.write_json(folder / form.INFO, {**info, **values})


def test_a_video_with_too_few_frames_is_named(data):
    videos = sorted(data.glob("videos/*/*/*"))
    dataset = LeRobotDataset(data)
    from vla_learning.data.frame_video import encode

    encode(pictures(np.random.default_rng(0), 5)[:, 0], Fraction(20), videos[0])
    with pytest.raises(DemonstrationError, match="ends after 5 frames; the dataset says it has 13"):
        list(dataset.frames(dataset.episodes[0], form.IMAGES + "corner2"))


def test_a_writer_that_was_stopped_anywhere_goes_on(data, settings, space):
    writer = open_writer(data, settings, space)
    writer.stage(demonstration("one", 7))
    half = data / STAGING / "one" / "000008.partial"
    half.mkdir()
    assert writer.seeds("one") == {0, 1, 7}
    staged = data.parent / "kept"
    shutil.copytree(data / STAGING, staged)
    assert writer.finish(settings.tasks) == 5
    shutil.copytree(staged, data / STAGING)  # as if stopped before it was removed
    (data / "meta").rename(data / ".old")  # and, elsewhere, between two renames
    assert open_writer(data, settings, space).finish(settings.tasks) == 5
    assert not (data / STAGING).exists() and not (data / ".old").exists()


def test_another_kind_of_dataset_is_refused(data, settings, space, tmp_path):
    with pytest.raises(DemonstrationError, match=r"another kind: its features differ \(observ"):
        open_writer(data, replace(settings, height=16), space)
    with pytest.raises(DemonstrationError, match="holds other things"):
        open_writer(tmp_path, settings, space)
    odd = replace(settings, collect=replace(settings.collect, image_period=3))
    with pytest.raises(DemonstrationError, match="26.667 images a second; accepted: a whole"):
        open_writer(tmp_path / "odd", odd, space)
    with pytest.raises(DemonstrationError, match="no episode to write"):
        open_writer(tmp_path / "new", settings, space).finish(settings.tasks)


def test_a_demonstration_that_does_not_fit_is_refused(settings, space, tmp_path):
    writer = open_writer(tmp_path / "new", settings, space)
    for changes, text in (
        ({"state": np.zeros((13, 3), np.float32)}, "state is"),
        ({"requested": np.full((50, 4), np.nan, np.float32)}, "not finite"),
        ({"image_ticks": np.arange(0, 130, 10)[:13]}, "10 ticks between two images"),
    ):
        with pytest.raises(DemonstrationError, match=text):
            writer.stage(demonstration("one", **changes))


def test_the_cache_is_made_once_and_mended(data, settings):
    calls = []
    key = form.IMAGES + "corner2"

    def read(progress=None):
        dataset = LeRobotDataset(data)
        decoded = dataset.frames
        dataset.frames = lambda e, f: calls.append(e.index) or decoded(e, f)
        return cached_images(dataset, dataset.episodes, [key], (32, 32), progress)

    told = []
    first = np.array(read(lambda done, total: told.append((done, total))))
    assert first.shape == (52, 1, 32, 32, 3) and told[-1] == (4, 4)
    assert calls == [0, 1, 2, 3]
    assert np.array_equal(read(), first) and len(calls) == 4
    file = next((data / FOLDER).glob("*/images.npy"))
    with file.open("r+b") as damaged:
        damaged.seek(-1, 2)
        damaged.write(b"\x00" if first.flat[-1] else b"\x01")
    assert np.array_equal(read(), first) and calls[4:] == [3]
    (file.parent / "index.json").write_text("{")
    assert np.array_equal(read(), first) and calls[5:] == [0, 1, 2, 3]


def test_landmarks_are_kept_where_there_are_some(settings, space, tmp_path):
    writer = open_writer(tmp_path / "new", settings, space, LANDMARKS)
    places = np.random.default_rng(0).normal(size=(13, 9)).astype(np.float32)
    for task in settings.tasks:
        writer.stage(demonstration(task, landmarks=places))
    writer.finish(settings.tasks)
    frames = load_frames(tmp_path / "new", settings, space)
    assert np.array_equal(frames.landmarks[13:], places)
    assert frames.episode.tolist() == [0] * 13 + [1] * 13


def test_names_come_in_several_forms():
    assert flat_names({"motors": ["a", "b"]}) == ["a", "b"]
    assert flat_names({"x": 0, "y": 1}) == ["x", "y"]
    assert flat_names(None) == []
