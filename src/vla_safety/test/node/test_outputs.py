import pytest
from builtin_interfaces.msg import Time

from vla_contract.action_space import ActionSpace, ActionSpaceError, Dimension, Kind, Limits, Output
from vla_safety.node.outputs import make_outputs

LIMITS = Limits(1.0, 50.0, 5000.0)
STAMP = Time(sec=3, nanosec=4)


def dimension(name, topic, message_type, field, kind=Kind.LINEAR_VELOCITY, frame="base"):
    return Dimension(
        name,
        kind,
        kind.units[0],
        -1.0,
        1.0,
        -1.0,
        1.0,
        LIMITS,
        LIMITS,
        frame,
        Output(topic, message_type, field),
    )


def outputs(*rows):
    dimensions = tuple(dimension(f"d{i}", *row) for i, row in enumerate(rows))
    return make_outputs(ActionSpace("test", 50.0, 10, 0.02, 1.0, dimensions))


TWIST = "geometry_msgs/msg/Twist"
STAMPED = "geometry_msgs/msg/TwistStamped"
FLOAT = "std_msgs/msg/Float64"
ARRAY = "std_msgs/msg/Float64MultiArray"
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"


def test_a_topic_gathers_its_dimensions_in_one_message():
    made = outputs(("a", TWIST, "linear.x"), ("b", FLOAT, "data"), ("a", TWIST, "angular.z"))
    assert [o.topic for o in made] == ["a", "b"]
    message = made[0].message([0.1, 0.2, 0.3], STAMP)
    assert (message.linear.x, message.linear.y, message.angular.z) == (0.1, 0.0, 0.3)
    assert made[1].message([0.1, 0.2, 0.3], STAMP).data == 0.2


def test_a_stamped_twist_has_time_and_frame():
    (made,) = outputs(("a", STAMPED, "twist.linear.z"))
    message = made.message([0.5], STAMP)
    assert message.header.stamp == STAMP and message.header.frame_id == "base"
    assert message.twist.linear.z == 0.5


def test_an_array_is_filled_by_index():
    (made,) = outputs(("a", ARRAY, "data[1]"), ("a", ARRAY, "data[0]"))
    assert list(made.message([0.1, 0.2], STAMP).data) == [0.2, 0.1]


def test_a_trajectory_has_one_point_to_be_reached_in_a_period():
    (made,) = outputs(
        ("a", TRAJECTORY, "elbow", Kind.JOINT_POSITION),
        ("a", TRAJECTORY, "wrist", Kind.JOINT_POSITION),
    )
    message = made.message([0.1, 0.2], STAMP)
    assert list(message.joint_names) == ["elbow", "wrist"]
    assert list(message.points[0].positions) == [0.1, 0.2]
    assert message.points[0].time_from_start.nanosec == 20_000_000
    assert message.header.stamp == Time()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", TWIST, "linear.w")], "'linear.w'; accepted for geometry_msgs/msg/Twist: linear.x"),
        ([("a", STAMPED, "linear.x")], "twist.linear.x"),
        ([("a", FLOAT, "data"), ("a", FLOAT, "data")], "twice"),
        ([("a", FLOAT, "value")], "accepted for std_msgs/msg/Float64: data"),
        ([("a", ARRAY, "data[2]")], "every index from 0 to 0"),
        ([("a", ARRAY, "data")], r"data\[0\]"),
        ([("a", TWIST, "linear.x"), ("a", FLOAT, "data")], "one type per topic"),
        (
            [
                ("a", STAMPED, "twist.linear.x"),
                ("a", STAMPED, "twist.linear.y", Kind.LINEAR_VELOCITY, "other"),
            ],
            "one frame per TwistStamped",
        ),
    ],
)
def test_what_does_not_fit_is_named(rows, message):
    with pytest.raises(ActionSpaceError, match=message):
        outputs(*rows)
