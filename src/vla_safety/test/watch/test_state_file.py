import json
import os

import pytest

from vla_safety.watch.state_file import (
    SavedState,
    StateFile,
    StateFileError,
    StateWriter,
    default_path,
)

SAVED = SavedState("the stop service was called", (3, 2**63), True)


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "deep" / "state.json"
    StateFile(path).write(SAVED)
    assert StateFile(path).read() == SAVED
    assert [p.name for p in path.parent.iterdir()] == ["state.json"]


def test_no_file_is_a_clean_start_and_no_path_keeps_nothing(tmp_path):
    assert StateFile(tmp_path / "none").read() == SavedState()
    file = StateFile(None)
    file.write(SAVED)
    assert file.read() == SavedState()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"stopped": ""}', '{"stopped":"","seen":["x"],"running":0}']
)
def test_a_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(StateFileError, match=str(path)):
        StateFile(path).read()


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateFileError, match="file/state.json: File exists"):
        StateFile(tmp_path / "file" / "state.json").write(SAVED)


def test_the_same_content_is_written_once(tmp_path):
    path = tmp_path / "state.json"
    file = StateFile(path)
    file.write(SAVED)
    path.unlink()
    file.write(SAVED)
    assert not path.exists()
    file.write(SavedState())
    assert json.loads(path.read_text())["stopped"] == ""


def test_a_writer_does_not_wait_for_a_disk_that_hangs(tmp_path):
    path = tmp_path / "state.json"
    scratch = tmp_path / f".state.json.{os.getpid()}"
    os.mkfifo(scratch)  # opening it waits for a reader
    writer = StateWriter(StateFile(path))
    writer.write(SAVED)
    writer.write(SavedState("again"))
    assert not writer.flush(0.05) and not path.exists()
    pipe = scratch.rename(tmp_path / "hung")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert writer.flush(10.0)
    assert StateFile(path).read() == SavedState("again")
    writer.close()
    os.close(reader)


def test_a_write_that_fails_is_told_and_tried_again(tmp_path):
    (tmp_path / "folder").write_text("")
    writer = StateWriter(StateFile(tmp_path / "folder" / "state.json"))
    writer.write(SAVED)
    assert not writer.flush(0.1)
    assert "folder/state.json: File exists" in writer.pop_problem()
    assert writer.pop_problem() == ""
    (tmp_path / "folder").unlink()
    assert writer.flush(10.0)
    assert StateFile(tmp_path / "folder" / "state.json").read() == SAVED
    writer.close()


def test_what_is_pending_is_written_before_the_writer_ends(tmp_path):
    writer = StateWriter(StateFile(tmp_path / "state.json"))
    writer.write(SAVED)
    writer.close()
    assert StateFile(tmp_path / "state.json").read() == SAVED


def test_the_default_path_differs_by_namespace_and_domain(monkeypatch, tmp_path):
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    assert default_path("/vla", "7") == tmp_path / "vla_safety" / "domain_7_vla.json"
    assert default_path("/", "") == tmp_path / "vla_safety" / "domain_0_root.json"
    assert default_path("/a/../b", "0").parent == tmp_path / "vla_safety"
