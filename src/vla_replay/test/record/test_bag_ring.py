"""A ring keeps the last seconds or megabytes in whole files."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from rosbags.rosbag2 import Reader

from vla_contract.recording import RecordingError
from vla_contract.topics import Qos
from vla_replay.bags import made_bags
from vla_replay.bags.bag_reader import open_bag
from vla_replay.bags.mcap_reader import MAGIC
from vla_replay.record.bag_ring import Ring

SECOND = 1_000_000_000
TEXT = made_bags.text(0, "x" * 1000).data


def fill(ring, seconds, rate=10):
    ring.add_topic("/a", "std_msgs/msg/String")
    for index in range(round(seconds * rate)):
        ring.write("/a", TEXT, made_bags.START + index * SECOND // rate)
    ring.close()


def times(folder):
    with open_bag(folder) as bag:
        return [m.key.time for m in bag.messages()]


def test_without_a_limit_everything_is_kept(tmp_path):
    ring = Ring(tmp_path / "bag")
    fill(ring, 30)
    assert ring.count == 300 == len(times(tmp_path / "bag"))


@pytest.mark.parametrize("seconds", [2.0, 5.0])
def test_the_last_seconds_are_kept_and_not_much_more(tmp_path, seconds):
    ring = Ring(tmp_path / "bag", seconds=seconds)
    fill(ring, 30)
    kept = times(tmp_path / "bag")
    newest = made_bags.START + 299 * SECOND // 10
    assert kept[-1] == newest
    assert seconds * SECOND <= newest - kept[0] <= 1.6 * seconds * SECOND
    assert ring.dropped and len(list((tmp_path / "bag").glob("*.mcap"))) == len(ring.files)


def test_the_last_bytes_are_kept(tmp_path):
    ring = Ring(tmp_path / "bag", size=50_000)
    fill(ring, 30)
    assert 50_000 <= ring.size <= 65_000
    assert times(tmp_path / "bag")[-1] == made_bags.START + 299 * SECOND // 10


# What rosbag2 reads of metadata.yaml: yaml.hpp of Jazzy, metadata_io.cpp of Humble.
FIELDS = {
    "version": int, "storage_identifier": str, "duration": dict, "starting_time": dict,
    "message_count": int, "topics_with_message_count": list, "relative_file_paths": list,
    "compression_format": str, "compression_mode": str, "files": list, "custom_data": dict,
    "ros_distro": str,
}  # fmt: skip
TOPIC = {
    "name": str, "type": str, "serialization_format": str, "offered_qos_profiles": str,
    "type_description_hash": str,
}  # fmt: skip
OF_FILE = {"path": str, "starting_time": dict, "duration": dict, "message_count": int}


def information(folder):
    """Of metadata.yaml, in which everything is of its type."""
    found = yaml.safe_load((folder / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    entries = [(found, FIELDS), *((file, OF_FILE) for file in found["files"])]
    entries += [(each["topic_metadata"], TOPIC) for each in found["topics_with_message_count"]]
    for content, types in entries:
        assert {name: type(value) for name, value in content.items()} == types
    return found


@pytest.mark.parametrize("limits", [{}, {"seconds": 4.0}, {"size": 50_000}])
def test_rosbag2_and_rosbags_read_it_in_every_mode(tmp_path, limits):
    ring = Ring(tmp_path / "bag", **limits)
    ring.add_topic("/a", "std_msgs/msg/String", Qos(True, True, 10, ""))
    fill(ring, 30)
    found = information(tmp_path / "bag")
    names = [file.path.name for file in ring.files]
    assert found["version"] == 8, "the last one with QoS as text, as Humble reads it"
    assert found["relative_file_paths"] == [file["path"] for file in found["files"]] == names
    assert found["message_count"] == sum(f["message_count"] for f in found["files"]) == ring.count
    with Reader(tmp_path / "bag") as reader:
        stamps = [stamp for _, stamp, _ in reader.messages()]
        assert len(stamps) == reader.message_count == ring.count
        assert (stamps[0], stamps[-1] + 1) == (reader.start_time, reader.end_time)
    assert sorted(path.name for path in (tmp_path / "bag").iterdir()) == [*names, "metadata.yaml"]


KILLED = """
import sys, time
from pathlib import Path
from test_bag_ring import SECOND, TEXT, Ring, made_bags

ring = Ring(Path(sys.argv[1]), seconds=8.0)
ring.add_topic("/a", "std_msgs/msg/String")
for index in range(37):
    ring.write("/a", TEXT, made_bags.START + index * SECOND // 10)
ring.flush()
print("flushed", flush=True)
ring.write("/a", TEXT, made_bags.START + 37 * SECOND // 10)
time.sleep(60.0)
"""


def test_a_kill_costs_what_came_since_the_last_flush(tmp_path):
    bag = tmp_path / "bag"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(bag)],
        cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "flushed\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(times(bag)) == 37 == information(bag)["message_count"]
    assert information(bag)["relative_file_paths"] == ["bag_0.mcap", "bag_1.mcap"]


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    ring = Ring(tmp_path / "file")
    ring.add_topic("/a", "std_msgs/msg/String")
    with pytest.raises(RecordingError) as error:
        ring.write("/a", TEXT, made_bags.START)
    assert "\n" not in str(error.value)


FULL_DISK = """
import resource, sys
from pathlib import Path
from test_bag_ring import LARGE, SECOND, Ring, RecordingError, made_bags

resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, resource.RLIM_INFINITY))
ring = Ring(Path(sys.argv[1]))
ring.add_topic("/a", "std_msgs/msg/String")
try:
    for index in range(100):
        ring.write("/a", LARGE, made_bags.START + index * SECOND)
except RecordingError as error:
    print(error)
try:
    ring.close()
except RecordingError as error:
    print(error)
"""
LARGE = made_bags.text(0, "x" * 100_000).data


def test_a_full_disk_loses_nothing_that_is_on_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "bag")],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    first, last = done.stdout.splitlines()
    assert first.endswith("File too large")
    kept = times(tmp_path / "bag")
    assert len(kept) == 22  # two chunks
    assert f"{len(kept)} of " in last and "bag_0.mcap" in last
    assert (tmp_path / "bag/bag_0.mcap").read_bytes()[-8:] == MAGIC
