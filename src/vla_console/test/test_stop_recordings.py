"""The recordings that the page lists."""

from vla_console.stop_recordings import MOST, stop_recordings


def recording(folder, second, words):
    path = folder / f"20261201T0102{second:02d}.500Z_{words}"
    path.mkdir(parents=True)
    (path / "bag_0.mcap").write_bytes(b"x" * (second + 1))
    return path


def test_the_newest_come_first_with_time_and_cause(tmp_path):
    for second in range(MOST + 3):
        last = recording(tmp_path, second, "STOPPED_the_emergency_stop_is_pressed")
    (tmp_path / ".20261201T010299.500Z_STOPPED").mkdir()  # is being written
    (tmp_path / "20261201T010255.000Z_HOLD_empty").mkdir()
    found = stop_recordings(str(last))
    assert len(found) == MOST and found[0].name == last.name
    assert found[0].when == "2026-12-01T01:02:12+00:00" and found[0].size == MOST + 3
    assert (found[0].state, found[0].cause) == ("stopped", "the emergency stop is pressed")


def test_without_a_recording_or_on_another_machine_there_is_none(tmp_path):
    assert stop_recordings("") == [] and stop_recordings(str(tmp_path / "no" / "one")) == []
