"""A ring keeps the last seconds or megabytes in whole files."""

import subprocess
import sys
from pathlib import Path

import pytest

from vla_contract.recording import RecordingError
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
    assert 50_000 <= ring.size <= 120_000
    assert times(tmp_path / "bag")[-1] == made_bags.START + 299 * SECOND // 10


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
    assert f"{len(kept)} of " in last and "part_0000.mcap" in last
    assert (tmp_path / "bag/part_0000.mcap").read_bytes()[-8:] == MAGIC
