"""Messages of other distributions become those of this one, by the names of their fields."""

import re
import sqlite3
import struct

import numpy as np
import pytest
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_typestore

from vla_contract.recording import Definition, RecordingError, definition
from vla_replay.bags import made_bags
from vla_replay.bags.bag_reader import open_bag
from vla_replay.bags.bag_storage import BagError, Topic
from vla_replay.bags.conversion import Conversion, _Plan
from vla_replay.bags.definitions import ROS1, DefinitionError, layout, of_distribution, parsed
from vla_replay.bags.message_codec import Codec

RANGE = "sensor_msgs/msg/Range"
PACKAGES = ("std_msgs", "geometry_msgs", "sensor_msgs", "nav_msgs", "trajectory_msgs",
            "diagnostic_msgs", "rosgraph_msgs", "builtin_interfaces")  # fmt: skip
DISTRIBUTIONS = [store for store in Stores if store not in (Stores.EMPTY, Stores.LATEST)]


def installed(kind):
    try:
        definition(kind)
    except RecordingError:
        return False
    return True


def differing(codec, store):
    """Types that this distribution has otherwise than this machine."""
    for kind in sorted(store.fielddefs):
        if kind.split("/")[0] in PACKAGES and "/msg/" in kind and installed(kind):
            codec.learn(kind)
            if layout(store, kind) != layout(codec.store, kind):
                yield kind


@pytest.mark.parametrize("which", DISTRIBUTIONS, ids=lambda store: store.value)
def test_every_type_that_differs_between_distributions_is_converted(which):
    store, codec = get_typestore(which), Codec()
    ros1 = which is Stores.ROS1_NOETIC
    kinds = set(differing(codec, store))
    if not ros1:
        assert kinds <= {RANGE}, "a type that is not in the documentation"
    for kind in kinds:
        text, _ = store.generate_msgdef(kind, ros_version=1 if ros1 else 2)
        conversion = Conversion(Topic("/t", kind, 1, text, ROS1 if ros1 else "cdr"), "", codec)
        assert not conversion.problem
        assert not conversion.note or kind == RANGE
        message = _Plan(store, store)._default((Nodetype.NAME, kind))(None)
        data = store.serialize_ros1(message, kind) if ros1 else store.serialize_cdr(message, kind)
        conversion.read(conversion.cdr(bytes(data)))


def ranges(which, encoding="cdr"):
    """Two Range messages as a distribution has them, and their definition."""
    store = get_typestore(which)
    stamp = store.types["builtin_interfaces/msg/Time"](sec=5, nanosec=7)
    extra = {"seq": 9} if encoding == ROS1 else {}
    header = store.types["std_msgs/msg/Header"](stamp=stamp, frame_id="front", **extra)
    more = {"variance": 0.25} if any(n == "variance" for n, _ in store.fielddefs[RANGE][1]) else {}
    message = store.types[RANGE](
        header=header, radiation_type=1, field_of_view=0.5, min_range=0.1, max_range=4.0, range=3.0,
        **more,
    )  # fmt: skip
    write = store.serialize_ros1 if encoding == ROS1 else store.serialize_cdr
    text, _ = store.generate_msgdef(RANGE, ros_version=1 if encoding == ROS1 else 2)
    return bytes(write(message, RANGE)), text


@pytest.mark.parametrize(
    ("which", "encoding"),
    [(Stores.ROS1_NOETIC, ROS1), (Stores.ROS2_HUMBLE, "cdr"), (Stores.ROS2_JAZZY, "cdr")],
)
def test_a_range_of_any_distribution_is_one_that_nodes_of_this_machine_can_read(which, encoding):
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import Range

    data, text = ranges(which, encoding)
    conversion = Conversion(Topic("/range", RANGE, 1, text, encoding), "", Codec())
    message = deserialize_message(conversion.cdr(data), Range)
    assert (message.header.stamp.sec, message.header.frame_id) == (5, "front")
    assert (message.radiation_type, message.range) == (1, 3.0)
    there = "variance" in Range.get_fields_and_field_types()
    if which is Stores.ROS2_JAZZY:
        assert ("variance" in conversion.note) != there
        assert not there or message.variance == 0.25
    else:
        assert ("the bag has no variance" in conversion.note) == there


@pytest.mark.parametrize(("named", "variance"), [("humble", 0.0), ("jazzy", 0.25), ("", 0.0)])
def test_without_definitions_those_of_the_distribution_count(tmp_path, named, variance):
    """Humble's sqlite3 has none; it is what a bag without a name is taken for."""
    data, _ = ranges(Stores.ROS2_JAZZY if named == "jazzy" else Stores.ROS2_HUMBLE)
    bag = made_bags.write_bag(
        tmp_path / "bag", made_bags.items(made_bags.Recipe(seconds=0.1)), "sqlite3"
    )
    with sqlite3.connect(next(bag.glob("*.db3"))) as database:
        database.execute("DROP TABLE message_definitions")
        database.execute("DROP TABLE schema")
        row = "INSERT INTO topics (id, name, type, serialization_format, offered_qos_profiles, "
        row += "type_description_hash) VALUES (99, '/range', ?, 'cdr', '', '')"
        database.execute(row, (RANGE,))
        row = "INSERT INTO messages (topic_id, timestamp, data) VALUES (99, ?, ?)"
        database.execute(row, (made_bags.START, data))
    file = bag / "metadata.yaml"
    file.write_text(re.sub(r"ros_distro: .*", f"ros_distro: '{named}'", file.read_text()))
    with open_bag(bag) as opened:
        (message,) = [opened.read(each) for each in opened.messages(["/range"])]
    assert message.range == 3.0
    if hasattr(message, "variance"):
        assert message.variance == variance


def test_the_distribution_that_an_sqlite_file_names_counts_without_metadata(tmp_path):
    bag = made_bags.write_bag(
        tmp_path / "bag", made_bags.items(made_bags.Recipe(seconds=0.1)), "sqlite3"
    )
    from vla_replay.bags.bag_storage import Losses
    from vla_replay.bags.blocks import Segments
    from vla_replay.bags.sqlite_reader import SqliteFile

    file = next(bag.glob("*.db3"))
    with sqlite3.connect(file) as database:
        database.execute("UPDATE schema SET ros_distro = 'iron'")
    assert SqliteFile(file, Segments(), Losses()).distribution == "iron"


def test_distributions_by_their_names():
    fields = {name: of_distribution(name, "cdr").fielddefs[RANGE][1] for name in
              ("humble", "jazzy", "newer", "")}  # fmt: skip
    assert fields["newer"] == fields["jazzy"] != fields["humble"] == fields[""]


IDL = """\
================================================================================
IDL: std_msgs/msg/String
module std_msgs {
  module msg {
    struct String {
      string data;
    };
  };
};
"""


def test_definitions_in_idl(tmp_path):
    kind = "std_msgs/msg/String"
    conversion = Conversion(Topic("/s", kind, 1, IDL), "", Codec())
    data = made_bags.serialised(kind, data="open the drawer")
    assert not conversion.problem and conversion.cdr(data) is data
    other = Conversion(
        Topic("/s", "my_msgs/msg/String", 1, IDL.replace("std_", "my_")), "", Codec()
    )
    assert not other.problem and other.read(data).data == "open the drawer"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("float64 data", "data is float64 there, string here"),
        ("string[] data", "data is a list in only one of them"),
        (
            "std_msgs/Bool data\n" + "=" * 80 + "\nMSG: std_msgs/Bool\nbool data",
            "data is a message",
        ),
        ("string words", "has no field of std_msgs/msg/String"),
    ],
)
def test_what_cannot_be_converted_is_named(text, words):
    conversion = Conversion(Topic("/s", "std_msgs/msg/String", 1, text), "", Codec())
    assert words in conversion.problem


def test_fields_go_by_their_names_and_numbers_are_cast():
    """As of a fork of a common type: another order, other widths, one more field."""
    text = "float32 y\nstring label\nfloat32 x\nfloat64 z"
    store = parsed(text, "geometry_msgs/msg/Point")
    message = store.types["geometry_msgs/msg/Point"](y=2.5, label="corner", x=1.5, z=3.5)
    data = bytes(store.serialize_cdr(message, "geometry_msgs/msg/Point"))
    conversion = Conversion(Topic("/p", "geometry_msgs/msg/Point", 1, text), "", Codec())
    found = conversion.read(conversion.cdr(data))
    assert (found.x, found.y, found.z) == (1.5, 2.5, 3.5)
    assert "there is no label here, which is left out" in conversion.note


def test_ros1_names_in_capitals_and_lists_of_messages():
    store = get_typestore(Stores.ROS1_NOETIC)
    codec, kind = Codec(), "sensor_msgs/msg/CameraInfo"
    text, _ = store.generate_msgdef(kind)
    message = _Plan(store, store)._default((Nodetype.NAME, kind))(None)
    name = next(name for name in vars(message) if name.lower() == "k")
    setattr(message, name, np.arange(9.0))
    conversion = Conversion(Topic("/i", kind, 1, text, ROS1), "", codec)
    found = conversion.read(conversion.cdr(bytes(store.serialize_ros1(message, kind))))
    assert found.k.tolist() == list(range(9)) and not conversion.note


def test_an_installed_type_that_rosbags_cannot_parse_costs_no_other_topic(monkeypatch, tmp_path):
    """As wide strings with one of its versions."""
    wide = Definition("other_msgs/Missing data\n", "")
    known = definition
    monkeypatch.setattr(
        "vla_replay.bags.message_codec.definition",
        lambda kind: wide if kind == "my_msgs/msg/Odd" else known(kind),
    )
    monkeypatch.setattr("vla_replay.bags.conversion.definition", lambda kind: wide)
    conversion = Conversion(Topic("/o", "my_msgs/msg/Odd", 1, "strin$ data"), "", Codec())
    assert conversion.problem == "of a type that is not known: my_msgs/msg/Odd"


@pytest.mark.parametrize("text", ["strin$ data", "other_msgs/Missing data"])
def test_a_definition_that_is_cut_short_is_refused(text):
    with pytest.raises(DefinitionError, match="my_msgs/msg/Odd cannot be read"):
        parsed(text, "my_msgs/msg/Odd")
    assert "not known" in Conversion(Topic("/o", "my_msgs/msg/Odd", 1, text), "", Codec()).problem
    common = Conversion(Topic("/o", "std_msgs/msg/String", 1, text), "", Codec())
    assert not common.problem and "taken as its distribution has it" in common.note


def write_mcap(path, encoding, channels, schema="ros2msg"):
    """A minimal MCAP file: (topic, type, definition, data) each with one message."""

    def record(code, content):
        return struct.pack("<BQ", code, len(content)) + content

    def text(words):
        return struct.pack("<I", len(words.encode())) + words.encode()

    parts = [b"\x89MCAP0\r\n", record(1, text("") + text("test"))]
    for number, (topic, kind, definition_, data) in enumerate(channels, 1):
        head = struct.pack("<H", number)
        parts.append(record(3, head + text(kind) + text(schema) + text(definition_)))
        parts.append(record(4, head * 2 + text(topic) + text(encoding) + struct.pack("<I", 0)))
        time = made_bags.START + number
        parts.append(record(5, struct.pack("<HIQQ", number, 0, time, time) + data))
    path.write_bytes(b"".join([*parts, record(15, bytes(4)), record(2, bytes(20)), parts[0]]))
    return path


@pytest.mark.parametrize("encoding", ["cdr", "CDR"])
def test_the_name_of_the_encoding_may_be_in_capitals(tmp_path, encoding):
    kind = "std_msgs/msg/String"
    channel = ("/s", kind, "string data", made_bags.serialised(kind, data="x"))
    with open_bag(write_mcap(tmp_path / "a.mcap", encoding, [channel])) as bag:
        assert [bag.read(message).data for message in bag.messages()] == ["x"]


def test_ros1_messages_in_mcap_are_read_as_those_of_a_bag(tmp_path):
    data, text = ranges(Stores.ROS1_NOETIC, ROS1)
    channels = [("/range", "sensor_msgs/Range", text, data)]
    with open_bag(write_mcap(tmp_path / "old.mcap", "ros1", channels, "ros1msg")) as bag:
        assert bag.topics["/range"].type == RANGE
        assert [bag.read(message).range for message in bag.messages()] == [3.0]


@pytest.mark.parametrize("encoding", ["json", "protobuf", ""])
def test_what_is_no_ros_message_is_named(tmp_path, encoding):
    pair = [(f"/{name}", "std_msgs/msg/String", "{}", b'{"data": "x"}') for name in "ab"]
    with pytest.raises(BagError) as error:
        open_bag(write_mcap(tmp_path / "other.mcap", encoding, pair))
    assert f"/a, /b: its messages are {encoding.upper() or 'unnamed'}" in str(error.value)
    assert "accepted: CDR" in str(error.value)


def test_a_topic_of_two_types_keeps_the_one_that_it_is_listed_with(tmp_path):
    text, flag = "std_msgs/msg/String", "std_msgs/msg/Bool"
    channels = [
        ("/s", flag, "bool data", made_bags.serialised(flag, data=True)),
        ("/s", text, "string data", made_bags.serialised(text, data="x")),
    ]
    with open_bag(write_mcap(tmp_path / "two.mcap", "cdr", channels)) as bag:
        assert [bag.read(message).data for message in bag.messages()] == ["x"]
        (reason,) = [why for _, why in bag.losses.messages]
    assert "of another type (std_msgs/msg/Bool)" in reason


def test_without_a_definition_in_mcap_the_installed_one_counts(tmp_path):
    channel = (
        "/s",
        "std_msgs/msg/String",
        "",
        made_bags.serialised("std_msgs/msg/String", data="x"),
    )
    with open_bag(write_mcap(tmp_path / "a.mcap", "cdr", [channel], "")) as bag:
        assert [bag.read(message).data for message in bag.messages()] == ["x"]


def test_bytes_that_do_not_fit_are_counted(tmp_path):
    data, text = ranges(Stores.ROS2_HUMBLE)
    channel = ("/range", RANGE, text, data[:-6])
    with open_bag(write_mcap(tmp_path / "a.mcap", "cdr", [channel])) as bag:
        assert [m for m in map(bag.read, bag.messages()) if m is not None] == []
        (reason,) = [why for _, why in bag.losses.messages]
    assert reason.startswith("broken message: it ")
