"""Every kind of bag is read as rosbags reads it; what is broken is repaired or told."""

import re
import shutil
import sqlite3
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Writer1
from rosbags.typesys import Stores, get_typestore

from vla_replay.bags import made_bags
from vla_replay.bags.bag_reader import open_bag
from vla_replay.bags.bag_storage import BagError, Losses
from vla_replay.bags.blocks import Segments
from vla_replay.bags.cdr_fields import stamp_of
from vla_replay.bags.mcap_reader import McapFile

try:
    from backports.zstd import compress
except ImportError:  # rosbags before 0.11
    from zstandard import compress

RECIPE = made_bags.Recipe(seconds=0.4, state_rate=20.0)
SECOND = 1_000_000_000


def read(path):
    with open_bag(path) as bag:
        return [(m.topic, m.key.time, m.data) for m in bag.messages()], bag


def reference(path):
    with AnyReader([path]) as reader:
        return [(c.topic, time, bytes(data)) for c, time, data in reader.messages()]


def test_the_fingerprint_tells_bags_of_one_size_apart(tmp_path):
    content = list(made_bags.items(RECIPE))
    marks = set()
    changes = (
        {},
        {"time": content[5].time + 1},
        {"data": content[5].data[:-1] + b"?"},
        {"topic": "/another"},
    )
    for index, change in enumerate(changes):
        changed = [*content[:5], replace(content[5], **change), *content[6:]]
        bag = made_bags.write_bag(tmp_path / str(index), changed)
        marks.add(read(bag)[1].fingerprint())
    assert len(marks) == len(changes)


@pytest.mark.parametrize(
    ("storage", "compression"),
    [
        ("mcap", "none"),
        ("mcap", "storage"),
        ("mcap", "file"),
        ("mcap", "message"),
        ("sqlite3", "none"),
        ("sqlite3", "file"),
        ("sqlite3", "message"),
    ],
)
def test_rosbag2_in_every_form(tmp_path, storage, compression):
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE), storage, compression)
    found, opened = read(bag)
    assert sorted(found) == sorted(reference(bag))
    assert [time for _, time, _ in found] == sorted(time for _, time, _ in found)
    assert opened.count == len(found)
    assert not opened.losses.lines
    assert opened.fingerprint() == read(bag)[1].fingerprint()
    if compression != "message" and compression != "file":
        file = next(bag.glob("*.mcap" if storage == "mcap" else "*.db3"))
        assert read(file)[0] == found  # one file, without its metadata.yaml


def test_without_metadata_the_files_are_read_all_the_same(tmp_path):
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE))
    expected, _ = read(bag)
    (bag / "metadata.yaml").unlink()
    found, opened = read(bag)
    assert found == expected
    assert any("metadata.yaml" in line for line in opened.losses.lines)


def test_topics_that_were_written_one_after_the_other_come_in_order_of_time(tmp_path):
    content = sorted(made_bags.items(RECIPE), key=lambda item: (item.topic, item.time))
    for storage in ("mcap", "sqlite3"):
        found, opened = read(made_bags.write_bag(tmp_path / storage, content, storage))
        assert [time for _, time, _ in found] == sorted(time for _, time, _ in found)
        assert not opened.jumps


def ros1_bag(path):
    store = get_typestore(Stores.ROS1_NOETIC)
    types = store.types
    stamp = types["builtin_interfaces/msg/Time"](sec=1_700_000_000, nanosec=5)
    header = types["std_msgs/msg/Header"](seq=3, stamp=stamp, frame_id="c")
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8)
    messages = {
        "/camera/image_raw": types["sensor_msgs/msg/Image"](
            header=header, height=2, width=3, encoding="rgb8", is_bigendian=0, step=9, data=pixels
        ),
        "/joint_states": types["sensor_msgs/msg/JointState"](
            header=header, name=["a"], position=np.array([1.5]), velocity=np.zeros(0),
            effort=np.zeros(0),
        ),
        "/vla/command": types["std_msgs/msg/String"](data="open the drawer"),
    }  # fmt: skip
    with Writer1(path) as writer:
        for topic, message in messages.items():
            kind = message.__msgtype__
            connection = writer.add_connection(topic, kind, typestore=store)
            writer.write(connection, made_bags.START, store.serialize_ros1(message, kind))
    return path


def test_ros1_messages_come_in_the_form_of_ros2(tmp_path):
    found, _ = read(ros1_bag(tmp_path / "old.bag"))
    by_topic = {topic: data for topic, _, data in found}
    image = made_bags.STORE.deserialize_cdr(by_topic["/camera/image_raw"], "sensor_msgs/msg/Image")
    assert (image.height, image.encoding, image.data.tolist()) == (2, "rgb8", list(range(18)))
    assert stamp_of(by_topic["/joint_states"]) == 1_700_000_000 * SECOND + 5


def test_a_ros1_bag_without_its_index_is_one_clear_line(tmp_path):
    whole = ros1_bag(tmp_path / "old.bag").read_bytes()
    (tmp_path / "cut.bag").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BagError, match="rosbag reindex") as error:
        open_bag(tmp_path / "cut.bag")
    assert "\n" not in str(error.value)


def test_a_ros1_bag_that_is_damaged_is_one_clear_line(tmp_path):
    content = ros1_bag(tmp_path / "old.bag").read_bytes()
    longer = rb"(compression=none....size=.....).", b"\\1\xff"  # a chunk longer than the file
    damaged, count = re.subn(*longer, content, flags=re.DOTALL)
    assert count
    (tmp_path / "damaged.bag").write_bytes(damaged)
    with pytest.raises(BagError, match=r"damaged\.bag: ") as error:
        open_bag(tmp_path / "damaged.bag")
    assert "\n" not in str(error.value) and "reindex" not in str(error.value)


def test_a_damaged_definition_in_a_ros1_bag_costs_no_other_topic(tmp_path):
    """A common type is read as ROS 1 has it; of another nothing is known."""
    content = ros1_bag(tmp_path / "old.bag").read_bytes()
    (tmp_path / "image.bag").write_bytes(content.replace(b"uint32 height", b"uint3$ height"))
    found, _ = read(tmp_path / "image.bag")
    assert found == read(tmp_path / "old.bag")[0]
    odd = content.replace(b"std_msgs/String", b"odd_msgs/String").replace(
        b"string data", b"strin$ data"
    )
    (tmp_path / "odd.bag").write_bytes(odd)
    found, opened = read(tmp_path / "odd.bag")
    assert {topic for topic, _, _ in found} == {"/camera/image_raw", "/joint_states"}
    reason = "of a type that is not known: odd_msgs/msg/String"
    assert opened.topics["/vla/command"].problem == reason
    assert opened.losses.messages == {("/vla/command", reason): 1}


def test_a_message_that_does_not_fit_its_ros1_type_is_counted(tmp_path):
    content = ros1_bag(tmp_path / "old.bag").read_bytes()
    words = b"\x0f\0\0\0open the drawer"
    (tmp_path / "bad.bag").write_bytes(content.replace(words, b"\x0e" + words[1:]))
    found, opened = read(tmp_path / "bad.bag")
    assert len(found) == 2
    reason = "broken message: it is longer than its type"
    assert opened.losses.messages == {("/vla/command", reason): 1}


@pytest.mark.parametrize("new", [b"'\xffXT NOT NULL,", b"'EXT NOT NULL,"])
def test_an_sqlite_schema_that_is_damaged_is_one_clear_line(tmp_path, new):
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE), "sqlite3")
    file = next(bag.glob("*.db3"))
    content, schema = file.read_bytes(), b"CREATE TABLE topics("
    begin = content.index(b"TEXT NOT NULL,", content.index(schema))
    file.write_bytes(content[:begin] + new + content[begin + len(new) :])
    with pytest.raises(BagError, match=r"\.db3: ") as error:
        open_bag(bag)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module", params=["none", "storage"])
def whole(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "bag"
    bag = made_bags.write_bag(folder, made_bags.items(RECIPE), "mcap", request.param)
    file = next(bag.glob("*.mcap"))
    return file.read_bytes(), read(file)[0], folder.parent


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(share=st.floats(0.0, 1.0))
def test_mcap_cut_at_any_byte_is_read_as_far_as_it_goes(whole, share):
    content, expected, folder = whole
    cut = folder / "cut.mcap"
    cut.write_bytes(content[: int(len(content) * share)])
    try:
        found, bag = read(cut)
    except BagError as error:
        assert "\n" not in str(error) and str(cut) in str(error)
        return
    assert found == expected[: len(found)] or set(found) <= set(expected)
    if len(found) < len(expected):
        assert bag.losses.lines


def test_mcap_cut_in_its_chunk_keeps_what_is_before_the_cut(tmp_path):
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE))
    file = next(bag.glob("*.mcap"))
    content, (expected, _) = file.read_bytes(), read(file)
    cut = tmp_path / "half.mcap"
    cut.write_bytes(content[: len(content) // 2])
    found, bag = read(cut)
    assert 0 < len(found) < len(expected)
    assert any("middle of a chunk" in line for line in bag.losses.lines)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(position=st.floats(0.0, 0.999), value=st.integers(0, 255))
def test_a_damaged_byte_never_ends_in_a_traceback(whole, position, value):
    content, _, folder = whole
    broken = bytearray(content)
    broken[int(len(content) * position)] = value
    (folder / "damaged.mcap").write_bytes(bytes(broken))
    try:
        read(folder / "damaged.mcap")
    except BagError as error:
        assert "\n" not in str(error)


def test_mcap_without_summary_and_index(whole):
    content, expected, folder = whole
    end = content.rindex(b"\x0f" + struct.pack("<Q", 4))  # the data end record
    (folder / "plain.mcap").write_bytes(content[:end])
    found, bag = read(folder / "plain.mcap")
    assert found == expected
    assert any("no summary" in line for line in bag.losses.lines)


def test_sqlite_on_a_damaged_page_counts_what_is_lost(tmp_path):
    recipe = made_bags.Recipe(seconds=2.0, state_rate=20.0)
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(recipe), "sqlite3")
    file = next(bag.glob("*.db3"))
    expected, _ = read(file)
    content = bytearray(file.read_bytes())
    for page in range(len(content) // 4096 // 2, len(content) // 4096 // 2 + 3):
        content[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    file.write_bytes(content)
    try:
        found, opened = read(file)
    except BagError as error:
        assert "\n" not in str(error)
        return
    assert len(found) < len(expected)
    assert opened.losses.lines or opened.losses.messages


def test_a_loop_in_time_becomes_segments(tmp_path):
    once = list(made_bags.items(RECIPE))
    again = [*once, *once]
    early = made_bags.Recipe(seconds=0.4, state_rate=20.0, start=made_bags.START - 30 * SECOND)
    for storage in ("mcap", "sqlite3"):
        bag = made_bags.write_bag(tmp_path / storage, [*once, *made_bags.items(early)], storage)
        with open_bag(bag) as opened:
            segments = [m.key.segment for m in opened.messages()]
        assert segments == sorted(segments) and set(segments) == {0, 1}
        assert any("jumps back" in line for line in opened.losses.lines)
    assert len(again) == 2 * len(once)


def test_disorder_is_sorted_and_counted(tmp_path):
    content = list(made_bags.items(RECIPE))
    images = [i for i, item in enumerate(content) if "image" in item.topic]
    content[images[2]], content[images[3]] = content[images[3]], content[images[2]]
    found, opened = read(made_bags.write_bag(tmp_path / "bag", content))
    assert opened.disorder == 1
    assert [time for _, time, _ in found] == sorted(time for _, time, _ in found)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "none", "no such file"),
        (lambda p: (p / "a.mcap").touch() or p / "a.mcap", "is empty"),
        (
            lambda p: (p / "a.mcap").write_text("hello, this is text") and p / "a.mcap",
            "not an MCAP",
        ),
        (
            lambda p: (p / "a.db3").write_text("hello, this is text") and p / "a.db3",
            "not an sqlite3",
        ),
        (lambda p: (p / "a.txt").write_text("x") and p / "a.txt", "accepted"),
        (lambda p: p, "no bag file"),
    ],
)
def test_what_is_no_bag_is_one_clear_line(tmp_path, make, words):
    with pytest.raises(BagError, match=words) as error:
        open_bag(make(tmp_path))
    assert "\n" not in str(error.value)


def test_a_bag_without_messages_is_one_clear_line(tmp_path):
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE), "sqlite3")
    with sqlite3.connect(next(bag.glob("*.db3"))) as database:
        database.execute("DELETE FROM messages")
    with pytest.raises(BagError, match="no message"):
        open_bag(bag)


def test_several_files_are_one_bag(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    for index in range(3):
        recipe = made_bags.Recipe(seconds=0.2, start=made_bags.START + index * SECOND)
        part = made_bags.write_bag(tmp_path / f"part_{index}", made_bags.items(recipe))
        shutil.copy(next(part.glob("*.mcap")), whole / f"bag_{index}.mcap")
    found, opened = read(whole)
    assert [time for _, time, _ in found] == sorted(time for _, time, _ in found)
    assert opened.topics["/joint_states"].count == 30


def test_each_pass_counts_its_losses_anew(tmp_path):
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE), "mcap", "storage")
    file = next(bag.glob("*.mcap"))
    content = bytearray(file.read_bytes())
    content[content.index(b"\x28\xb5\x2f\xfd") + 40] ^= 0xFF  # in the first chunk's data
    file.write_bytes(content)
    with open_bag(bag) as opened:
        passes = []
        for _ in range(3):
            list(opened.messages())
            passes.append(dict(opened.losses.messages))
    assert passes[0] and passes[1] == passes[0] and passes[2] == passes[0]


def test_files_are_read_in_the_order_of_their_metadata(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    for index, name in enumerate(("morning", "evening", "another")):
        recipe = made_bags.Recipe(seconds=0.2, start=made_bags.START + 10 * index * SECOND)
        part = made_bags.write_bag(tmp_path / name, made_bags.items(recipe))
        shutil.copy(next(part.glob("*.mcap")), whole / f"{name}.mcap")
    names = "[morning.mcap, evening.mcap]"
    (whole / "metadata.yaml").write_text(
        f"rosbag2_bagfile_information:\n  relative_file_paths: {names}\n"
    )
    found, opened = read(whole)
    assert [time for _, time, _ in found] == sorted(time for _, time, _ in found)
    assert not opened.jumps
    assert opened.losses.lines == [
        "metadata.yaml does not name another.mcap; read after those that it names"
    ]


# The opcode, which may become one that is skipped, and the highest byte of the length.
@pytest.mark.parametrize(("at", "value"), [(0, 0x7F), (0, 0x80), (8, 0x7F)])
def test_behind_a_damaged_chunk_the_next_one_is_read(tmp_path, at, value):
    recipe = made_bags.Recipe(seconds=30.0, state_rate=10.0, width=320, height=240)
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(recipe), "mcap")
    file = next(bag.glob("*.mcap"))
    expected, _ = read(bag)
    content = bytearray(file.read_bytes())
    offsets = McapFile(file, Segments(), Losses())._chunk_offsets
    assert len(offsets) > 4
    content[offsets[len(offsets) // 2] + at] = value
    file.write_bytes(content)
    found, opened = read(bag)
    assert 0.7 * len(expected) < len(found) < len(expected)
    assert found[-1] == expected[-1]
    assert sum(opened.losses.messages.values()) == len(expected) - len(found)


def test_empty_files_of_a_bag_are_left_out_and_named(tmp_path):
    """A recorder that was killed while it began another file."""
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE))
    expected, _ = read(bag)
    (bag / "bag_1.mcap").touch()
    found, opened = read(bag)
    assert found == expected and "empty files are left out: bag_1.mcap" in opened.losses.lines
    for file in bag.glob("*.mcap"):
        file.write_bytes(b"")
    with pytest.raises(BagError, match=r"every file of the bag is empty: bag\.mcap, bag_1\.mcap"):
        open_bag(bag)


def test_a_folder_of_bags_names_them(tmp_path):
    for name in ("morning", "evening"):
        made_bags.write_bag(tmp_path / name, made_bags.items(RECIPE))
    with pytest.raises(BagError, match="it holds the bags evening, morning: name one of them"):
        open_bag(tmp_path)


@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag"])
def test_a_pointer_of_git_lfs_is_named_as_one(tmp_path, name):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (tmp_path / name).write_text(pointer)
    with pytest.raises(BagError, match="a Git LFS pointer, not the bag; .* git lfs pull"):
        open_bag(tmp_path / name)


def test_a_compressed_ros1_bag(tmp_path):
    expected, _ = read(ros1_bag(tmp_path / "old.bag"))
    packed = compress((tmp_path / "old.bag").read_bytes())
    (tmp_path / "packed.bag.zst").write_bytes(packed)
    assert read(tmp_path / "packed.bag.zst")[0] == expected


def test_several_ros1_files_are_one_bag_in_order_of_time(tmp_path):
    folder = tmp_path / "bags"
    folder.mkdir()
    for name in ("b", "a"):
        ros1_bag(folder / f"{name}.bag")
    found, opened = read(folder)
    assert len(found) == 6 and opened.topics["/joint_states"].count == 2
    assert not opened.losses.lines


def test_only_what_is_asked_for_is_given_and_the_fingerprint_is_of_all(tmp_path):
    bag = made_bags.write_bag(tmp_path / "bag", made_bags.items(RECIPE))
    whole = read(bag)[1].fingerprint()
    with open_bag(bag) as opened:
        assert {message.topic for message in opened.messages(["/joint_states"])} == {
            "/joint_states"
        }
        assert opened.fingerprint() == whole
