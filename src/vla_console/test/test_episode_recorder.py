"""Episodes: a recorder as a process, a verdict beside its bag, and a disk that is full."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from vla_console import episode_recorder
from vla_console.episode_recorder import EpisodeError, EpisodeRecorder

# In the place of `vla record`: makes its folder, waits for SIGINT, says that it closed its bag.
RECORDER = """
import os, signal, sys
folder = sys.argv[sys.argv.index("--out") + 1]
def end(number, frame):
    open(os.path.join(folder, "closed"), "w").close()
    sys.exit(0)
signal.signal(signal.SIGINT, end)
os.makedirs(folder)
while True:
    signal.pause()
"""


@pytest.fixture
def episodes(tmp_path, monkeypatch):
    folder = tmp_path / "modules" / "vla_cli"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "__main__.py").write_text(RECORDER)
    monkeypatch.setenv("PYTHONPATH", f"{folder.parent}{os.pathsep}{os.environ['PYTHONPATH']}")
    made = EpisodeRecorder(tmp_path / "episodes", "/vla", 1000.0)
    yield made
    made.close()


def wait(condition):
    end = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def start(episodes):
    folder = episodes.start()
    wait((folder / "bag").is_dir)
    return folder


def test_a_success_has_a_whole_bag_and_its_verdict(episodes):
    folder = start(episodes)
    assert episodes.is_recording and episodes.page(time.time())["name"] == folder.name
    assert episodes.finish("success", "slowly", "open the drawer", [(0.5, 1.25)]) == folder
    assert (folder / "bag" / "closed").is_file()
    verdict = json.loads((folder / "episode.json").read_text())
    assert verdict["command"] == "open the drawer" and verdict["outcome"] == "success"
    assert verdict["note"] == "slowly" and verdict["interventions"] == [[0.5, 1.25]]
    assert verdict["seconds"] > 0.0 and not episodes.is_recording
    second = start(episodes)
    assert second != folder, "two episodes within a second have folders of their own"


def test_what_is_discarded_is_gone(episodes):
    folder = start(episodes)
    episodes.discard()
    assert not folder.exists()
    with pytest.raises(EpisodeError, match="no episode is being recorded"):
        episodes.discard()


def test_one_at_a_time_and_an_outcome_that_is_one(episodes):
    start(episodes)
    with pytest.raises(EpisodeError, match="end or discard it first"):
        episodes.start()
    with pytest.raises(EpisodeError, match="accepted: success, failure"):
        episodes.finish("maybe", "", "", [])
    assert episodes.is_recording


def test_a_full_disk_is_said_before_and_ends_an_episode_that_runs(episodes, monkeypatch):
    monkeypatch.setattr(EpisodeRecorder, "free", lambda self: 999.0)
    with pytest.raises(EpisodeError, match=r"GB are left in .*; accepted: at least"):
        episodes.start()
    assert episodes.page(0.0)["full"]
    monkeypatch.setattr(EpisodeRecorder, "free", lambda self: 4000.0)
    assert episodes.page(0.0)["low"] and not episodes.page(0.0)["full"]
    folder = start(episodes)
    assert not episodes.check()
    monkeypatch.setattr(EpisodeRecorder, "free", lambda self: 400.0)
    assert episodes.check() and "nearly full" in episodes.problem
    assert (folder / "bag" / "closed").is_file() and not episodes.is_recording
    with pytest.raises(EpisodeError, match="nearly full"):
        episodes.finish("success", "", "", [])


def test_a_recorder_that_ends_is_told_with_its_last_line(episodes, monkeypatch):
    broken = [sys.executable, "-c", "print('the bag cannot be written')"]
    popen = episode_recorder.subprocess.Popen
    monkeypatch.setattr(
        episode_recorder.subprocess, "Popen", lambda words, **more: popen(broken, **more)
    )
    episodes.start()
    wait(episodes.check)
    assert episodes.problem == "the recorder has ended: the bag cannot be written"


def test_the_free_space_is_that_of_a_folder_that_may_not_be_there_yet(tmp_path):
    assert EpisodeRecorder(Path(tmp_path / "a" / "b"), "/vla", 1.0).free() > 0
