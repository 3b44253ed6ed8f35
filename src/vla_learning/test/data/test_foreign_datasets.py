"""LeRobot datasets of other people: what the config says of them, or one clear line."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from vla_learning.data import lerobot_format as form
from vla_learning.data.dataset import load_frames
from vla_learning.data.dataset_mapping import DatasetMapping, MappingError
from vla_learning.data.dataset_tables import write_episodes, write_rows, write_tasks
from vla_learning.data.demonstrations import DemonstrationError
from vla_learning.data.frame_video import encode
from vla_learning.data.tracks import Tracks
from vla_learning.tiny_learning import pictures

pytest.importorskip("av")
pytest.importorskip("pyarrow")

# Somebody's dataset: one camera, joints in degrees, other names.
KEY = "observation.images.laptop"
NAMES = ["shoulder.pos", "elbow.pos", "wrist.pos", "gripper.pos"]
LENGTH, FPS = 20, 30


def features(dtype):
    vector = {"dtype": "float32", "shape": [4], "names": NAMES}
    found = {
        KEY: {"dtype": dtype, "shape": [32, 32, 3], "names": ["height", "width", "channels"]},
        "observation.state": vector,
        "action": vector,
        "timestamp": {"dtype": "float32", "shape": [1], "names": None},
    }
    index = {"dtype": "int64", "shape": [1], "names": None}
    return found | dict.fromkeys(("frame_index", "episode_index", "index", "task_index"), index)


def rows(number, task):
    ramp = np.linspace(-30.0, 30.0, LENGTH)[:, None].repeat(4, 1).astype(np.float32)
    return {
        "observation.state": ramp + number,
        "action": ramp,
        "timestamp": np.arange(LENGTH) / FPS,
        "frame_index": np.arange(LENGTH),
        "episode_index": np.full(LENGTH, number),
        "index": np.arange(LENGTH) + number * LENGTH,
        "task_index": np.full(LENGTH, task),
    }


def write_foreign(folder, version="v3.0", tasks=("Open the door.", "Shut it"), fps=FPS):
    """One episode for each of the tasks."""
    legacy = version == "v2.1"
    data = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
    video = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
    info = {
        "codebase_version": version,
        "fps": fps,
        "chunks_size": 1000,
        "features": features("video"),
        "data_path": data if legacy else form.DATA,
        "video_path": video if legacy else form.VIDEO,
    }
    form.write_json(folder / form.INFO, info)
    records = []
    for number, task in enumerate(tasks):
        place = {"episode_chunk": 0, "episode_index": number, "chunk_index": 0}
        place |= {"file_index": number, "video_key": KEY}
        paths = [folder / info[kind].format(**place) for kind in ("data_path", "video_path")]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(paths[0], rows(number, number), features("video"))
        seen = pictures(np.random.default_rng(number), LENGTH)[:, 0]
        encode(seen, Fraction(fps), paths[1])
        record = {"episode_index": number, "tasks": [task], "length": LENGTH}
        for prefix in ("data", f"videos/{KEY}"):
            record |= {f"{prefix}/chunk_index": 0, f"{prefix}/file_index": number}
        record |= {f"videos/{KEY}/from_timestamp": 0.0, f"videos/{KEY}/to_timestamp": LENGTH / fps}
        records.append(record)
    if legacy:
        lines(folder / "meta/episodes.jsonl", records)
        lines(
            folder / "meta/tasks.jsonl", [{"task_index": i, "task": t} for i, t in enumerate(tasks)]
        )
    else:
        write_episodes(folder / form.EPISODES.format(file_index=0), records)
        write_tasks(folder, list(tasks))
    return folder


def lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


# The same numbers stand for velocities: up to 30 cm/s.
UNITS = ("cm/s", "cm/s", "cm/s", "%")


def mapping(settings, space, units=UNITS, **parts):
    state = {n: {"name": NAMES[i], "unit": "deg"} for i, n in enumerate(settings.state_names)}
    action = {n: {"index": i, "unit": units[i]} for i, n in enumerate(space.dimension_names)}
    cameras = dict.fromkeys(settings.cameras, KEY)
    given = {"cameras": cameras, "state": state, "action": action, **parts}
    return replace(settings, dataset=DatasetMapping.from_dict(given))


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_it_trains_too(settings, space, tmp_path, version):
    folder = write_foreign(tmp_path / "theirs", version)
    frames = load_frames(folder, mapping(settings, space), space)
    assert frames.count == 2 * LENGTH
    assert np.bincount(frames.task).tolist() == [LENGTH, LENGTH]
    assert np.allclose(frames.state[0], np.deg2rad(-30.0), atol=1e-6)
    assert np.allclose(frames.state[LENGTH], np.deg2rad(-29.0), atol=1e-6)
    actions = space.to_si(frames.actions[0])
    step = 60.0 / (LENGTH - 1) * 30.0 * space.chunk_period  # from 30 Hz to the rows of a chunk
    assert np.allclose(actions[:, 0], (-30.0 + step * np.arange(32)) * 0.01, atol=1e-5)
    assert frames.row_mask[0].all()
    assert frames.row_mask[LENGTH - 1].tolist() == [1.0] + [0.0] * 31
    assert frames.steps_left[LENGTH - 1] == 1 + settings.train.done_delay


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"cameras": {}}, f"camera corner2 would be .*corner2; it has {KEY}; say which"),
        ({"state": {}}, "does not say in which units it is; .* state end_effector.x"),
        ({"tasks": {"Shut it": "three"}}, "maps 'Shut it' to 'three'; accepted: one, two, or null"),
        ({"tasks": {"Shut it": None}}, "no demonstrations of two"),
    ],
)
def test_what_does_not_fit_is_one_line(settings, space, tmp_path, change, text):
    folder = write_foreign(tmp_path / "theirs")
    with pytest.raises(DemonstrationError, match=text) as caught:
        load_frames(folder, mapping(settings, space, **change), space)
    assert "\n" not in str(caught.value)


def test_a_wrong_unit_is_seen(settings, space, tmp_path):
    folder = write_foreign(tmp_path / "theirs")
    with pytest.raises(DemonstrationError, match="linear_x is in rad/s; the action space .* m/s"):
        load_frames(folder, mapping(settings, space, ("deg/s", *UNITS[1:])), space)
    with pytest.raises(DemonstrationError, match="linear_x goes from -30 to 30 m/s.*another one"):
        load_frames(folder, mapping(settings, space, ("m/s", *UNITS[1:])), space)


def test_unknown_words_and_another_rate_are_refused(settings, space, tmp_path):
    folder = write_foreign(tmp_path / "a", tasks=("Open the door.", "Dance"))
    with pytest.raises(DemonstrationError, match="episode 1 has the task 'Dance'"):
        load_frames(folder, mapping(settings, space), space)
    folder = write_foreign(tmp_path / "b", fps=5)
    with pytest.raises(
        DemonstrationError, match="an action every 0.2 s, a chunk a row every 0.012"
    ):
        Tracks(folder, mapping(settings, space), space)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ([], "is \\[\\]; accepted: a mapping of cameras, state"),
        ({"state": {"a": {"name": "x"}}}, "state.a has unit ''; accepted: 1, %, m"),
        ({"state": {"a": {"unit": "m"}}}, "state.a needs one of name and index"),
        ({"action": {"a": {"index": "x", "unit": "m"}}}, "action.a is .*accepted: numbers"),
        ({"action": {"a": 3}}, "action.a is 3; accepted"),
    ],
)
def test_a_bad_mapping_is_named(part, text):
    with pytest.raises(MappingError, match=text):
        DatasetMapping.from_dict(part)
