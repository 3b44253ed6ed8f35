"""Whether somebody reads what the robot is sent."""

from vla_safety.watch.command_readers import CommandReaders, Reader

TWIST, STAMPED = "geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped"


def test_a_reader_of_the_type_is_enough():
    looks = CommandReaders({"/cmd_vel": TWIST})
    found = {"/cmd_vel": [Reader("/logger", STAMPED), Reader("/base", TWIST)]}
    assert [looks.look(found) for _ in range(3)] == ["", "", ""]


def test_a_reader_of_another_type_is_named_with_both():
    looks = CommandReaders({"/cmd_vel": TWIST})
    found = {"/cmd_vel": [Reader("/turtlebot3_node", STAMPED)]}
    assert looks.look(found) == ""  # the graph may not show all of them yet
    assert looks.look(found) == (
        f"nobody reads /cmd_vel as {TWIST}; /turtlebot3_node reads it as {STAMPED}"
    )
    assert looks.look({"/cmd_vel": [Reader("/base", TWIST)]}) == ""
    assert looks.look(found) == ""


def test_a_topic_that_nobody_reads_is_named_and_others_are_not():
    looks = CommandReaders({"/cmd_vel": TWIST, "/gripper": "std_msgs/msg/Float64"})
    found = {"/cmd_vel": [Reader("/base", TWIST)]}
    looks.look(found)
    assert looks.look(found) == "nobody reads /gripper as std_msgs/msg/Float64"
