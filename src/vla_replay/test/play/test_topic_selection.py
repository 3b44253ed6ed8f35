"""Cameras and states are found by type; what is not clear is asked."""

from dataclasses import replace

import pytest

from vla_contract.action_space import MESSAGE_TYPES
from vla_replay.bags.bag_storage import BagError, Topic
from vla_replay.play.topic_selection import Needs, camera_topic, observed, parse_remaps, select

IMAGE, JPEG = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
JOINTS, TWIST = "sensor_msgs/msg/JointState", "geometry_msgs/msg/Twist"
ODOM = "nav_msgs/msg/Odometry"


def topics(**kinds):
    return {name: Topic(name, kind, 5) for name, kind in kinds.items()}


def bag(*pairs):
    return {name: Topic(name, kind, 5) for name, kind in pairs}


def test_one_camera_and_one_state_need_no_words():
    found = select(bag(("/cam/image", IMAGE), ("/joint_states", JOINTS)), Needs(("front",)), {})
    assert found.cameras["front"].name == "/cam/image"
    assert found.states["joint_states"].name == "/joint_states"


def test_cameras_are_found_by_their_names():
    pairs = (("/a/left/image_raw", IMAGE), ("/a/right/image_raw", IMAGE))
    found = select(bag(*pairs), Needs(("right", "left")), {})
    assert found.cameras["left"].name == "/a/left/image_raw"


def test_unclear_cameras_are_asked_for_with_an_option_that_works():
    content = bag(("/one", IMAGE), ("/two", JPEG))
    with pytest.raises(BagError, match="which images are camera left") as error:
        select(content, Needs(("left", "right")), {})
    words = str(error.value).split()
    remaps = [words[i + 1] for i, word in enumerate(words) if word == "--remap"]
    found = select(content, Needs(("left", "right")), parse_remaps(remaps))
    assert set(found.cameras) == {"left", "right"} and found.compressed["right"]


def test_one_topic_for_two_cameras_is_asked_for():
    with pytest.raises(BagError, match="--remap /cam:=camera/left"):
        select(bag(("/cam", IMAGE)), Needs(("left", "right")), {})
    found = select(bag(("/cam", IMAGE)), Needs(("left", "right")), {"/cam": "camera/right"})
    assert set(found.cameras) == {"right"}
    assert "left" in found.notes[0]


def test_the_compressed_twin_and_depth_are_skipped():
    pairs = (("/c/image_raw", IMAGE), ("/c/image_raw/compressed", JPEG), ("/c/depth", IMAGE))
    found = select(bag(*pairs), Needs(("front",)), {})
    assert found.cameras["front"].name == "/c/image_raw"
    assert set(found.skipped) == {"/c/image_raw/compressed", "/c/depth"}


def test_two_joint_states_are_asked_for_unless_one_has_the_usual_name():
    pairs = (("/c", IMAGE), ("/left/states", JOINTS), ("/right/states", JOINTS))
    with pytest.raises(BagError, match="--remap /left/states:=joint_states or"):
        select(bag(*pairs), Needs(("front",)), {})
    usual = select(bag(*pairs, ("/joint_states", JOINTS)), Needs(("front",)), {})
    assert usual.states["joint_states"].name == "/joint_states"


# What drivers listen to, beside all that the safety node can send.
DRIVERS_HEAR = {
    "ackermann_msgs/msg/AckermannDriveStamped",
    "control_msgs/msg/GripperCommand",
    "control_msgs/msg/JointJog",
    "geometry_msgs/msg/WrenchStamped",
    "std_msgs/msg/Float32",
    "trajectory_msgs/msg/MultiDOFJointTrajectory",
}


STATES_TOO = {JOINTS, "geometry_msgs/msg/PoseStamped"}


@pytest.mark.parametrize("kind", sorted((DRIVERS_HEAR | set(MESSAGE_TYPES)) - STATES_TOO))
def test_a_robot_command_is_never_replayed(kind):
    content = bag(("/c", IMAGE), ("/cmd_vel", kind), ("/command", kind))
    found = select(content, Needs(("front",)), {})
    assert "/cmd_vel" not in found.roles() and "/command" not in found.roles()
    assert "never replayed" in found.skipped["/cmd_vel"]
    for target in ("joint_states", "command", "camera/front", "odom"):
        with pytest.raises(BagError, match="is of type"):
            select(content, Needs(("front",)), {"/cmd_vel": target})


@pytest.mark.parametrize("kind", sorted(STATES_TOO))
@pytest.mark.parametrize("name", ["/arm/joint_commands", "/target", "/servo/pose_target_cmds/goal"])
def test_a_command_of_a_state_s_type_is_known_by_its_name(kind, name):
    found = select(bag(("/c", IMAGE), (name, kind)), Needs(("front",)), {})
    assert not found.states and "command by its name" in found.skipped[name]
    role = "joint_states" if kind == JOINTS else "end_effector_pose"
    assert f"--remap {name}:={role}" in found.skipped[name]
    said = select(bag(("/c", IMAGE), (name, kind)), Needs(("front",)), {name: role})
    assert said.states[role].name == name


def test_commands_come_from_the_bag_or_from_the_option():
    content = bag(("/c", IMAGE), ("/vla/command", "std_msgs/msg/String"))
    assert [t.name for t in select(content, Needs(("f",)), {}).commands] == ["/vla/command"]
    given = select(content, Needs(("f",)), {}, command="push")
    assert not given.commands and "--command" in given.skipped["/vla/command"]
    none = select(bag(("/c", IMAGE)), Needs(("f",)), {})
    assert any("nothing moves" in note for note in none.notes)


def test_what_the_policy_needs_must_be_there():
    with pytest.raises(BagError, match="needs end_effector_pose"):
        select(bag(("/c", IMAGE)), Needs(("f",), end_effector_pose=True), {})
    with pytest.raises(BagError, match="no topic of images"):
        select(bag(("/joint_states", JOINTS)), Needs(("f",)), {})


@pytest.mark.parametrize(
    ("remap", "words"),
    [
        ("/a/b", "not of the form"),
        ("/none:=odom", "no such topic; it has: /c"),
        ("/c:=nothing", "no such input; accepted"),
        ("/c:=odom", "is of type sensor_msgs/msg/Image"),
    ],
)
def test_a_remap_that_does_not_fit_is_one_clear_line(remap, words):
    with pytest.raises(BagError, match=words):
        select(bag(("/c", IMAGE)), Needs(("f",)), parse_remaps([remap]))


@pytest.mark.parametrize(("kind", "target"), [(IMAGE, "camera/front"), (JOINTS, "joint_states")])
def test_a_second_topic_for_one_input_is_refused(kind, target):
    content = bag(("/c", IMAGE), ("/a", kind), ("/b", kind))
    remaps = parse_remaps([f"/a:={target}", f"/b:={target}"])
    with pytest.raises(BagError, match=f"--remap /b:={target}: {target} is /a already"):
        select(content, Needs(("front",)), remaps)


def test_commands_may_come_from_several_topics():
    content = bag(("/c", IMAGE), ("/a", "std_msgs/msg/String"), ("/b", "std_msgs/msg/String"))
    remaps = parse_remaps(["/a:=command", "/b:=command"])
    found = select(content, Needs(("front",)), remaps)
    assert [topic.name for topic in found.commands] == ["/a", "/b"]


def test_what_cannot_be_read_is_listed_and_never_taken():
    content = bag(("/c", IMAGE), ("/d", IMAGE), ("/x", "weird/Type"))
    content["/x"] = replace(content["/x"], problem="of a type that is not known: weird/Type")
    content["/d"] = replace(content["/d"], problem="its messages are JSON")
    found = select(content, Needs(("f",)), {})
    assert found.cameras["f"].name == "/c"
    assert found.skipped["/x"] == "of a type that is not known: weird/Type"
    assert found.skipped["/d"] == "its messages are JSON"
    with pytest.raises(BagError, match=r"no topic of images .*not read: /d: its messages are JSON"):
        select({"/d": content["/d"]}, Needs(("f",)), {})
    with pytest.raises(BagError, match=r"/d:=camera/f: the topic cannot be read: its messages"):
        select(content, Needs(("f",)), {"/d": "camera/f"})


def test_what_is_lost_of_a_topic_that_is_used_is_noted():
    content = {"/c": Topic("/c", IMAGE, 5, note="less"), "/n": Topic("/n", TWIST, 5, note="more")}
    notes = select(content, Needs(("f",)), {}, "go").notes
    assert "/c: less" in notes and "/n: more" not in notes


def test_names_of_the_graphs_own_topics():
    assert camera_topic("left", False) == "camera/left/image_raw"
    assert camera_topic("left", True) == "camera/left/image_raw/compressed"
    assert observed("tick") == "replay/observed/tick"


def test_a_policy_that_names_no_camera_gets_all_of_them_by_their_topics():
    pairs = (("/front/image_raw", IMAGE), ("/arm/wrist/color/image_raw", IMAGE), ("/image", IMAGE))
    found = select(bag(*pairs), Needs(), {})
    assert {name: topic.name for name, topic in found.cameras.items()} == {
        "front": "/front/image_raw", "arm_wrist": "/arm/wrist/color/image_raw", "camera": "/image",
    }  # fmt: skip
    chosen = select(bag(*pairs), Needs(), {"/image": "camera/own"})
    assert set(chosen.cameras) == {"own"}
    assert chosen.skipped["/front/image_raw"] == "a camera that the policy has none for"


@pytest.mark.parametrize(
    "target", ["camera/front", "front", "/vla/camera/front/image_raw", "vla/camera/front", "/front"]
)
def test_a_camera_is_named_in_several_ways(target):
    found = select(bag(("/a", IMAGE), ("/b", IMAGE)), Needs(("front",)), {"/a": target})
    assert found.cameras["front"].name == "/a" and "/a" not in found.skipped
    assert found.skipped["/b"] == "a camera that the policy has none for"


@pytest.mark.parametrize(
    "target", ["camera/rear", "camera", "rear", "front/odom", "a/joint_states"]
)
def test_what_is_no_input_is_answered_with_the_inputs(target):
    with pytest.raises(
        BagError, match=r"no such input; accepted: camera/front, camera/back, joint"
    ):
        select(bag(("/a", IMAGE)), Needs(("front", "back")), {"/a": target})
    if not target.startswith("camera/"):
        with pytest.raises(BagError, match=r"no such input; accepted: camera/<name>, joint_states"):
            select(bag(("/a", IMAGE)), Needs(), {"/a": target})


def test_each_topic_that_is_left_out_has_its_reason():
    pairs = (
        ("/c/image_raw", IMAGE), ("/c/image_raw/compressed", JPEG), ("/c/depth", IMAGE),
        ("/c/disparity", IMAGE), ("/x/odom_a", "nav_msgs/msg/Odometry"),
        ("/x/odom_b", "nav_msgs/msg/Odometry"), ("/t", TWIST), ("/u", "nav_msgs/msg/Path"),
    )  # fmt: skip
    found = select(bag(*pairs), Needs(("front",)), {})
    several = "one of several that may be odom (choose with --remap)"
    assert found.skipped == {
        "/c/image_raw/compressed": "another form of a camera's images",
        "/c/depth": "a depth image by its name", "/c/disparity": "a depth image by its name",
        "/x/odom_a": several, "/x/odom_b": several, "/t": "a robot's command: never replayed",
        "/u": "no input of the graph",
    }  # fmt: skip
    remaps = {"/vla/say": "command"}
    content = bag(("/c", IMAGE), ("/vla/say", "std_msgs/msg/String"))
    given = select(content, Needs(("front",)), remaps, "push")
    assert given.skipped == {"/vla/say": "commands come from --command"}


def test_the_raw_twin_of_a_compressed_camera_is_left_out():
    pairs = (("/c/image_raw", IMAGE), ("/c/image_raw/compressed", JPEG))
    found = select(bag(*pairs), Needs(("front",)), {"/c/image_raw/compressed": "camera/front"})
    assert found.skipped == {"/c/image_raw": "another form of a camera's images"}
    found = select(bag(*pairs), Needs(("front",)), {"/c/image_raw": "camera/front"})
    assert found.skipped == {"/c/image_raw/compressed": "another form of a camera's images"}


@pytest.mark.parametrize("word", ["/a", ":=odom", "/a:=", "/a=odom", ":="])
def test_a_remap_has_both_sides(word):
    with pytest.raises(BagError, match="is not of the form"):
        parse_remaps([word])
    assert parse_remaps(["a:=odom", "/b:=scan"]) == {"/a": "odom", "/b": "scan"}


def test_an_error_ends_where_every_topic_can_be_read():
    with pytest.raises(BagError, match=r"needs end_effector_pose .*no such topic$"):
        select(bag(("/c", IMAGE)), Needs(("f",), end_effector_pose=True), {})


def test_of_several_states_the_one_of_the_usual_name_is_it_wherever_it_stands():
    kind = "geometry_msgs/msg/PoseStamped"
    pairs = (
        ("/c", IMAGE),
        ("/arm/tool/end_effector_pose", kind),
        ("/end_effector_pose/goal", kind),
    )
    found = select(bag(*pairs), Needs(("f",), end_effector_pose=True), {})
    assert found.states["end_effector_pose"].name == "/arm/tool/end_effector_pose"


def test_the_camera_that_is_left_is_the_topic_that_is_left():
    pairs = (("/left/image", IMAGE), ("/x/image", IMAGE))
    found = select(bag(*pairs), Needs(("left", "right")), {})
    assert {name: topic.name for name, topic in found.cameras.items()} == {
        "left": "/left/image", "right": "/x/image",
    }  # fmt: skip
    assert not found.skipped and not any("masked" in note for note in found.notes)


def test_a_name_that_fits_two_topics_is_asked_for():
    pairs = (("/front/a", IMAGE), ("/front/b", IMAGE), ("/rear/c", IMAGE))
    with pytest.raises(BagError, match=r"which images are camera front\? .* /front/a, /front/b;"):
        select(bag(*pairs), Needs(("front", "rear")), {})


def test_more_open_cameras_than_topics_are_asked_for_though_one_is_found():
    pairs = (("/left/image", IMAGE), ("/x/image", IMAGE))
    with pytest.raises(BagError, match="which images are camera right and which top"):
        select(bag(*pairs), Needs(("left", "right", "top")), {})


def test_cameras_that_the_bag_lacks_are_noted_by_name():
    found = select(bag(("/left/image", IMAGE)), Needs(("left", "right", "top")), {}, "go")
    assert found.notes == ["the bag has no images for right, top: masked, as on a robot without"]
    assert select(bag(("/left/image", IMAGE)), Needs(("left",)), {}, "go").notes == []


def test_topics_without_a_slash_are_used_once():
    pairs = (
        ("c/image_raw", IMAGE), ("joint_states", JOINTS), ("command", "std_msgs/msg/String"),
        ("c/Depth", IMAGE), ("c/image_raw/compressed", JPEG),
    )  # fmt: skip
    found = select(bag(*pairs), Needs(("front",)), {})
    assert found.roles() == {
        "c/image_raw": "camera/front", "joint_states": "joint_states", "command": "command",
    }  # fmt: skip
    assert set(found.skipped.values()) == {
        "a depth image by its name", "another form of a camera's images",
    }  # fmt: skip


def test_two_poses_are_asked_for_where_the_policy_needs_one_and_left_out_where_not():
    kind = "geometry_msgs/msg/PoseStamped"
    content = bag(("/c", IMAGE), ("/b/pose", kind), ("/a/pose", kind))
    with pytest.raises(
        BagError,
        match=r"which topic is end_effector_pose\? The bag has /a/pose, /b/pose; say: "
        r"--remap /a/pose:=end_effector_pose or --remap /b/pose:=end_effector_pose$",
    ):
        select(content, Needs(("f",), end_effector_pose=True), {})
    found = select(content, Needs(("f",)), {})
    several = "one of several that may be end_effector_pose (choose with --remap)"
    assert found.skipped == {"/a/pose": several, "/b/pose": several} and not found.states


def test_an_emergency_stop_is_known_by_its_name_alone():
    kind = "std_msgs/msg/Bool"
    found = select(bag(("/c", IMAGE), ("/door_open", kind)), Needs(("f",)), {})
    assert not found.states and found.skipped == {"/door_open": "no input of the graph"}
    found = select(bag(("/c", IMAGE), ("/door_open", kind), ("/x/e_stop", kind)), Needs(("f",)), {})
    assert found.states["emergency_stop"].name == "/x/e_stop"


def test_of_two_topics_of_the_usual_name_one_is_to_be_chosen():
    content = bag(("/c", IMAGE), ("/a/odom", ODOM), ("/b/odom", ODOM), ("/c/else", ODOM))
    found = select(content, Needs(("f",)), {})
    assert not found.states and set(found.skipped) == {"/a/odom", "/b/odom", "/c/else"}
    one = select(bag(("/c", IMAGE), ("/a/odom", ODOM), ("/c/else", ODOM)), Needs(("f",)), {})
    assert one.states["odom"].name == "/a/odom" and one.skipped == {
        "/c/else": "no input of the graph"
    }
