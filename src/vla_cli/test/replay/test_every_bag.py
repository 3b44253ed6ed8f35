"""What one command reads of a bag every command reads: there is one reader of bags."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from vla_cli.doctor.doctor_measure import measure
from vla_cli.drive import why_command
from vla_contract.recording import BagWriter, type_name
from vla_contract.stamps import to_time
from vla_evaluation import replay_tables as evaluation
from vla_interfaces.msg import SafeAction, SafetyStatus
from vla_replay.bags.bag_reader import open_bag

try:
    from backports.zstd import compress
except ImportError:  # rosbags before 0.11
    from zstandard import compress

ROOT = Path(__file__).resolve().parents[4]
START = 1_700_000_000 * 10**9  # ns
CAUSE = "the emergency stop is pressed"
STOP = START + 3 * 10**9


def messages():
    """A moving joint, what the safety node did, and a stop after 3 of 4 s."""
    for tick in range(200):
        time = START + tick * 20_000_000
        joint = JointState(name=["elbow"], position=[0.004 * (tick % 100)])
        action = SafeAction(tick=tick, period=0.02, dimension_names=["x"], requested=[0.5])
        action.safe = [0.4]
        joint.header.stamp = action.header.stamp = to_time(time)
        yield "/joint_states", joint, time
        yield "/vla/safe_action", action, time
        if time == STOP:
            status = SafetyStatus(state=SafetyStatus.STATE_STOPPED, cause=CAUSE)
            yield "/vla/safety_status", status, time


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    bag = tmp_path_factory.mktemp("whole") / "bag"
    notes = {"state": "STOPPED", "cause": CAUSE, "stopped_at": str(STOP), "wall_time": str(STOP)}
    with BagWriter(bag, notes) as writer:
        for topic, message, time in messages():
            if not writer.has(topic):
                writer.add_topic(topic, type_name(type(message)))
            writer.write(topic, serialize_message(message), time)
    return bag


def copy(whole, folder, cut=None):
    """The bag once more; cut: share of its file that is there."""
    folder.mkdir()
    for file in whole.iterdir():
        content = file.read_bytes()
        part = (
            content if cut is None or file.suffix != ".mcap" else content[: int(len(content) * cut)]
        )
        (folder / file.name).write_bytes(part)
    return folder


def one_file(whole, folder):
    return next(copy(whole, folder).glob("*.mcap"))


def without_metadata(whole, folder):
    (copy(whole, folder) / "metadata.yaml").unlink()
    return folder


def newer_metadata(whole, folder):
    file = copy(whole, folder) / "metadata.yaml"
    file.write_text(re.sub(r"version: \d+", "version: 99", file.read_text()))
    return folder


def damaged_metadata(whole, folder):
    (copy(whole, folder) / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    return folder


def the_metadata_itself(whole, folder):
    return copy(whole, folder) / "metadata.yaml"


def cut_off(whole, folder):
    return next(copy(whole, folder, cut=0.9).glob("*.mcap"))


def compressed_alone(whole, folder):
    folder.mkdir()
    file = folder / "bag_0.mcap.zstd"
    file.write_bytes(compress(next(whole.glob("*.mcap")).read_bytes()))
    return file


def sqlite_file(folder, wal=False):
    """As Humble writes it: without definitions, without the schema table."""
    folder.mkdir()
    database = sqlite3.connect(folder / "bag_0.db3")
    if wal:
        database.execute("PRAGMA journal_mode=WAL")
    database.execute(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, "
        "serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL)"
    )
    database.execute(
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, "
        "timestamp INTEGER NOT NULL, data BLOB NOT NULL)"
    )
    known = {}
    for topic, message, time in messages():
        if topic not in known:
            known[topic] = len(known) + 1
            row = (known[topic], topic, type_name(type(message)))
            database.execute("INSERT INTO topics VALUES (?, ?, ?, 'cdr', '')", row)
        row = (known[topic], time, serialize_message(message))
        database.execute("INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)", row)
    database.commit()
    return database


def sqlite_alone(whole, folder):
    sqlite_file(folder).close()
    return folder / "bag_0.db3"


def sqlite_still_written(whole, folder):
    """The recorder was killed: what it wrote last is in the journal beside the file."""
    database = sqlite_file(folder, wal=True)
    for suffix in ("", "-wal"):
        content = (folder / f"bag_0.db3{suffix}").read_bytes()
        (folder / f"killed.db3{suffix}").write_bytes(content)
    database.close()
    (folder / "bag_0.db3").unlink()
    assert (folder / "killed.db3-wal").stat().st_size
    return folder


FORMS = [
    one_file,
    without_metadata,
    newer_metadata,
    damaged_metadata,
    the_metadata_itself,
    cut_off,
    compressed_alone,
    sqlite_alone,
    sqlite_still_written,
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_command_reads_it(whole, tmp_path, form):
    path = form(whole, tmp_path / "bag")
    least = 150 if form is cut_off else 200
    with open_bag(path) as bag:
        assert sum(1 for _ in bag.messages(["/joint_states"])) >= least
    (motion,) = measure(path)
    assert motion.name == "elbow" and motion.samples >= least
    story = why_command.read(path, 5.0)
    assert (story.state, story.cause, story.stopped_at) == ("STOPPED", CAUSE, STOP)
    assert any("stopped" in text for _, text in story.rows)
    kinds = {table.kind: table for table in evaluation.tables(path)}
    assert len(kinds["action"].records) >= least


def test_what_is_lost_is_told(whole, tmp_path):
    notes = []
    measure(cut_off(whole, tmp_path / "bag"), notes)
    assert any("no summary at its end" in note for note in notes)
    assert "note: " in why_command.read(tmp_path / "bag", 5.0).text()


def test_one_bad_message_costs_itself(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        for topic, message, time in messages():
            if not writer.has(topic):
                writer.add_topic(topic, type_name(type(message)))
            data = serialize_message(message)
            writer.write(topic, data[:9] if time == START + 10**9 else data, time)
    notes = []
    assert measure(tmp_path / "bag", notes)[0].samples == 199
    assert notes == ["/joint_states: 1 lost (broken message: it cannot be read as its type)"]
    found = {table.kind: table for table in evaluation.tables(tmp_path / "bag", notes)}
    assert len(found["action"].records) == 199 and len(notes) == 2


def test_nothing_else_opens_bags():
    """Another reader would read another part of them."""
    openers = re.compile(r"AnyReader|rosbag[12] import .*Reader|import sqlite3|import mcap")
    found = {
        str(file.relative_to(ROOT / "src"))
        for file in (ROOT / "src").glob("*/vla_*/**/*.py")
        if openers.search(file.read_text(encoding="utf-8"))
    }
    assert found == {f"vla_replay/vla_replay/bags/{name}_reader.py" for name in ("ros1", "sqlite")}
