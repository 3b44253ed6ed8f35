import os
import threading
import time
from pathlib import Path

import pytest
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import Reader
from std_msgs.msg import Bool, String

from vla_contract.node_testing import wait_until
from vla_contract.recording import read_notes
from vla_safety.node import stop_recorder
from vla_safety.node.stop_recorder import (
    Entry,
    RecorderSettings,
    Ring,
    StopRecorder,
    make_room,
    recording_name,
)

S = 1_000_000_000
START = 1_700_000_000 * S
BOOL = "std_msgs/msg/Bool"


def entry(steady, size=10):
    return Entry(steady, START + steady, "/vla/emergency_stop", BOOL, b"x" * size)


def test_the_ring_is_bounded_in_time():
    ring = Ring(10, 1000)
    for t in range(0, 30, 5):
        ring.add(entry(t))
    assert [e.steady for e in ring.snapshot()] == [15, 20, 25]
    assert ring.dropped == 0


def test_the_ring_is_bounded_in_bytes_and_counts_what_it_drops():
    ring = Ring(1000, 100)
    for t in range(12):
        ring.add(entry(t))
    assert [e.steady for e in ring.snapshot()] == list(range(2, 12))
    ring.add(entry(12, size=101))
    assert len(ring.snapshot()) == 10
    assert ring.dropped == 3


def test_point_clouds_are_thinned_and_crowd_nothing_else_out():
    made = StopRecorder(RecorderSettings(Path("unused"), duration=10.0, tail=1.0))
    cloud, scan = bytes(640 * 480 * 16), bytes(1080 * 4)
    for k in range(30 * 15):
        steady = k * S // 30
        made.record("/vla/cloud", "sensor_msgs/msg/PointCloud2", cloud, steady, steady)
        made.record("/vla/scan", "sensor_msgs/msg/LaserScan", scan, steady, steady)
    assert made.reach == pytest.approx(11.0, abs=0.1)
    kept = [e.steady for e in made._large.snapshot()]
    assert kept == list(range(9 * S, 15 * S, S))  # as many as 32 MiB hold, one a second
    made.close()


def test_names_tell_time_and_cause():
    name = recording_name("STOPPED", "the emergency stop is pressed!/..", 1767323045678 * 10**6)
    assert name == "20260102T030405.678Z_STOPPED_the_emergency_stop_is_pressed"
    assert stop_recorder._NAME.fullmatch(name)
    assert len(recording_name("HOLD", "x" * 500, 0)) < 100


def feed(made, begin, end, step=S // 50):
    for steady in range(begin, end, step):
        data = serialize_message(Bool(data=steady >= 20 * S))
        made.record("/vla/emergency_stop", BOOL, data, START + steady, steady)


def stopped_at_20_s(folder, **settings):
    made = StopRecorder(RecorderSettings(folder, **settings))
    feed(made, 0, 20 * S)
    made.stopped("STOPPED", "the emergency stop is pressed", START + 20 * S, 20 * S)
    feed(made, 20 * S, 21 * S)
    assert made.poll(21 * S - 1) is None
    return made


def outcome_of(made, steady=21 * S):
    outcomes = []
    wait_until(lambda: outcomes.append(made.poll(steady)) or outcomes[-1] is not None, 20.0)
    return outcomes[-1]


def test_a_stop_is_written_with_the_seconds_before_and_after_it(tmp_path):
    made = stopped_at_20_s(tmp_path / "recordings")
    outcome = outcome_of(made)
    made.close()
    assert outcome.problem == ""
    assert made.folder == outcome.folder
    assert "STOPPED_the_emergency_stop_is_pressed" in made.folder
    with Reader(made.folder) as reader:
        times = [t - START for _, t, _ in reader.messages()]
    assert read_notes(Path(made.folder))["cause"] == "the emergency stop is pressed"
    assert min(times) == 10 * S
    assert max(times) == 21 * S - S // 50
    assert [p.name for p in (tmp_path / "recordings").iterdir()] == [os.path.basename(made.folder)]


def test_a_second_stop_within_the_tail_is_one_recording_and_closing_writes_it(tmp_path):
    made = StopRecorder(RecorderSettings(tmp_path))
    feed(made, 0, S)
    made.stopped("HOLD", "silence", START + S, S)
    made.stopped("STOPPED", "pressed", START + S + 1, S + 1)
    made.close()
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("HOLD_silence")


@pytest.mark.parametrize("what", ["a file in the way", "no space"])
def test_a_folder_that_cannot_be_written_is_a_line_and_a_counter(tmp_path, monkeypatch, what):
    folder = tmp_path / "recordings"
    if what == "a file in the way":
        folder.write_text("")
    else:
        monkeypatch.setattr(stop_recorder.BagWriter, "write", _no_space)
    made = stopped_at_20_s(folder)
    outcome = outcome_of(made)
    assert outcome.folder == ""
    assert outcome.problem.startswith("stop not recorded: ")
    assert "\n" not in outcome.problem
    assert made.counters["failed"] == 1
    assert what != "no space" or list(folder.iterdir()) == []  # nothing half written stays
    made.stopped("STOPPED", "again", START + 21 * S, 21 * S)  # and it goes on
    assert outcome_of(made, 23 * S).problem
    made.close()


def _no_space(self, topic, data, stamp):
    raise stop_recorder.RecordingError(f"bag {self.folder}: No space left on device")


def test_a_type_that_is_not_installed_costs_only_its_own_messages(tmp_path):
    made = StopRecorder(RecorderSettings(tmp_path))
    made.record("/a", "nowhere/msg/Nothing", b"1234", START, 0)
    made.record("/b", BOOL, serialize_message(Bool()), START, 0)
    made.stopped("STOPPED", "x", START, 0)
    assert "nowhere/msg/Nothing" in outcome_of(made, S).problem
    made.close()
    (folder,) = tmp_path.iterdir()
    with Reader(folder) as reader:
        assert [c.topic for c, _, _ in reader.messages()] == ["/b"]


def test_the_control_loop_never_waits_for_the_disk(tmp_path, monkeypatch):
    """With a disk that hangs each call still returns at once, and stops beyond two are counted."""
    release = threading.Event()
    monkeypatch.setattr(stop_recorder, "_write", lambda *arguments: release.wait(20.0) and tmp_path)
    made = StopRecorder(RecorderSettings(tmp_path))
    slowest = 0.0
    for number in range(6):
        begin = time.thread_time()
        made.record("/b", BOOL, b"", START, number * 2 * S)
        made.stopped("STOPPED", "x", START, number * 2 * S)
        made.poll(number * 2 * S + S)
        slowest = max(slowest, time.thread_time() - begin)
        time.sleep(0.01)  # lets the thread take the first job
    assert made.counters["skipped"] == 3  # one is written, two wait
    assert slowest < 0.005
    release.set()
    made.close()


def test_recordings_rotate_by_number_and_by_size(tmp_path):
    def make(second, size):
        folder = tmp_path / recording_name("STOPPED", "x", second * S)
        folder.mkdir()
        (folder / "x.mcap").write_bytes(b"x" * size)
        return folder

    folders = [make(second, 100) for second in range(5)]
    (tmp_path / "notes").mkdir()
    left = tmp_path / f".{recording_name('STOPPED', 'died', 0)}"
    left.mkdir()
    make_room(tmp_path, 3, 10_000)
    assert [f.exists() for f in folders] == [False, False, True, True, True]
    make_room(tmp_path, 3, 250)
    assert [f.exists() for f in folders] == [False, False, False, True, True]
    make_room(tmp_path, 3, 1)
    assert [f.exists() for f in folders] == [False, False, False, False, True]
    assert (tmp_path / "notes").is_dir()
    assert not left.exists()


def test_the_qos_of_the_table_is_noted(tmp_path):
    made = StopRecorder(RecorderSettings(tmp_path))
    made.record("/vla/prompt", "std_msgs/msg/String", serialize_message(String()), START, 0)
    made.stopped("STOPPED", "x", START, 0)
    folder = outcome_of(made, S).folder
    made.close()
    with Reader(folder) as reader:
        (connection,) = reader.connections
        assert connection.ext.offered_qos_profiles[0].durability.name == "TRANSIENT_LOCAL"
