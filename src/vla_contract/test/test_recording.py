import errno
import struct
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_share_directory
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.rosbag2 import Reader
from rosbags.typesys import get_types_from_msg
from rosbags.typesys.store import Typestore
from sensor_msgs.msg import JointState, LaserScan

from vla_contract import recording, topics
from vla_contract.recording import BagWriter, RecordingError, definition, type_name
from vla_interfaces.msg import ActionChunk, Observation, SafeAction, SafetyStatus, Violation

TYPES = (ActionChunk, Observation, SafeAction, SafetyStatus, LaserScan)


@pytest.mark.parametrize("message_class", TYPES, ids=type_name)
def test_a_definition_holds_all_that_it_needs(message_class):
    """The types parsed from the text alone hash to what the build wrote beside the message."""
    name = type_name(message_class)
    text = definition(name).text
    store = Typestore()
    store.register(get_types_from_msg(text, name))
    assert store.hash_rihs01(name) == definition(name).hash
    assert recording._installed_hash(name) == (definition(name).hash if hashes_exist(name) else "")


def hashes_exist(name):
    """Whether the build wrote hashes beside the messages, which Humble's does not."""
    package, _, message = name.partition("/msg/")
    return (Path(get_package_share_directory(package)) / "msg" / f"{message}.json").is_file()


def test_a_bag_holds_what_was_written(tmp_path):
    action = SafeAction(tick=7, safe=[0.1, 0.2], violations=[Violation(limit=4, name="linear")])
    action.header.frame_id = "base_link"
    with BagWriter(tmp_path / "bag", {"cause": "a test"}) as bag:
        bag.add_topic("/vla/safe_action", type_name(SafeAction), topics.qos(topics.SAFE_ACTION))
        bag.add_topic("/scan", type_name(LaserScan))
        for stamp in (5, 6):
            bag.write("/vla/safe_action", serialize_message(action), stamp)
        bag.write("/scan", serialize_message(LaserScan(ranges=[1.0, 2.0])), 7)
    assert bag.count == 3
    assert recording.read_notes(tmp_path / "bag") == {"cause": "a test"}
    with Reader(tmp_path / "bag") as reader:
        found = [(c.topic, t, bytes(raw)) for c, t, raw in reader.messages()]
    assert [(topic, stamp) for topic, stamp, _ in found] == [
        ("/vla/safe_action", 5),
        ("/vla/safe_action", 6),
        ("/scan", 7),
    ]
    assert deserialize_message(found[0][2], SafeAction) == action


def test_what_follows_a_message_in_memory_is_not_written():
    joints = JointState(name=["elbow"], position=[1.0])
    name, data = type_name(JointState), serialize_message(joints)
    trimmed = recording.exact(name, data)
    assert deserialize_message(trimmed, JointState) == joints
    assert recording.exact(name, trimmed + b"garbage.") == trimmed
    assert recording.exact(name, trimmed[:20]) == trimmed[:20]  # cut short: as it is
    assert recording._store(name).deserialize_cdr(trimmed, name).name == ["elbow"]


def mcap_schemas(path):
    """Name → text of every schema record of an MCAP file, read without any library."""
    data = path.read_bytes()
    assert data[:8] == data[-8:] == b"\x89MCAP0\r\n"
    found, position = {}, 8
    while position < len(data) - 8:
        kind, length = data[position], struct.unpack_from("<Q", data, position + 1)[0]
        body = data[position + 9 : position + 9 + length]
        position += 9 + length
        if kind == 0x03:
            texts, at = [], 2
            for _ in range(3):
                (size,) = struct.unpack_from("<I", body, at)
                texts.append(body[at + 4 : at + 4 + size].decode())
                at += 4 + size
            found[texts[0]] = (texts[1], texts[2])
    return found


def test_the_file_carries_its_schemas(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/vla/safety_status", "vla_interfaces/msg/SafetyStatus")
        bag.write("/vla/safety_status", serialize_message(SafetyStatus()), 1)
    schemas = mcap_schemas(tmp_path / "bag" / "bag.mcap")
    encoding, text = schemas["vla_interfaces/msg/SafetyStatus"]
    assert encoding == "ros2msg"
    for needed in ("vla_interfaces/Violation", "vla_interfaces/Fault", "std_msgs/Header"):
        assert f"MSG: {needed}\n" in text


def test_what_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(RecordingError, match="nowhere/msg/Nothing.*not installed"):
        definition("nowhere/msg/Nothing")
    (tmp_path / "there").mkdir()
    with pytest.raises(RecordingError, match="exists already"):
        BagWriter(tmp_path / "there")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="Not a directory"):
        BagWriter(tmp_path / "file" / "bag")
    bag = BagWriter(tmp_path / "full")
    bag.add_topic("/scan", type_name(LaserScan))

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(bag._writer, "write", full)
    with pytest.raises(RecordingError, match="bag .*full: No space left on device"):
        bag.write("/scan", b"", 1)
