import importlib.util

import pytest
from builtin_interfaces.msg import Time

from vla_contract import rotations
from vla_contract.action_space import ActionSpace, ActionSpaceError, Dimension, Kind, Limits, Output
from vla_safety.node.outputs.robot_outputs import make_outputs

LIMITS = Limits(1.0, 50.0, 5000.0)
STAMP = Time(sec=3, nanosec=4)


def dimension(name, topic, message_type, field, kind=Kind.LINEAR_VELOCITY, frame="base", unit=None):
    reach = 4.0 if kind is Kind.END_EFFECTOR_ORIENTATION else 1.0
    return Dimension(
        name,
        kind,
        unit or kind.units[0],
        -reach,
        reach,
        -reach,
        reach,
        LIMITS,
        LIMITS,
        frame,
        Output(topic, message_type, field),
        (-1.0, 1.0) if kind is Kind.JOINT_VELOCITY else None,
    )


def outputs(*rows):
    dimensions = tuple(dimension(f"d{i}", *row) for i, row in enumerate(rows))
    return make_outputs(ActionSpace("test", 50.0, 10, 0.02, 1.0, dimensions))


TWIST = "geometry_msgs/msg/Twist"
STAMPED = "geometry_msgs/msg/TwistStamped"
FLOAT = "std_msgs/msg/Float64"
ARRAY = "std_msgs/msg/Float64MultiArray"
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
STATE = "sensor_msgs/msg/JointState"
POSE = "geometry_msgs/msg/PoseStamped"
JOG = "control_msgs/msg/JointJog"
GRIPPER = "control_msgs/action/GripperCommand"
PARALLEL = "control_msgs/action/ParallelGripperCommand"
ORIENTATION = Kind.END_EFFECTOR_ORIENTATION
VECTOR = [("p", POSE, f"pose.orientation.rotation_vector.{axis}", ORIENTATION) for axis in "xyz"]
PLACE = [("p", POSE, f"pose.position.{axis}", Kind.END_EFFECTOR_POSITION) for axis in "xyz"]
SIX = [("p", POSE, f"pose.orientation.rotation_6d.{i}", ORIENTATION, "base", "1") for i in range(6)]


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


def test_a_joint_state_has_positions_or_velocities():
    (made,) = outputs(("a", STATE, "elbow", Kind.JOINT_POSITION), ("a", STATE, "jaw", Kind.GRIPPER))
    message = made.message([0.1, 0.2], STAMP)
    assert (list(message.name), list(message.position)) == (["elbow", "jaw"], [0.1, 0.2])
    assert message.header.stamp == STAMP and not message.velocity
    (made,) = outputs(("a", STATE, "elbow", Kind.JOINT_VELOCITY))
    message = made.message([0.1], STAMP)
    assert list(message.velocity) == [0.1] and not message.position


@pytest.mark.parametrize("turning", [VECTOR, SIX])
def test_a_pose_is_whole_and_its_quaternion_never_jumps(turning):
    (made,) = outputs(*turning, *PLACE)
    last = None
    for k in range(200):
        # Twice round about an oblique axis, through every half turn.
        q = rotations.exponential([0.04 * k * 0.6, 0.0, 0.04 * k * 0.8])
        numbers = rotations.to_numbers(q, len(turning))
        message = made.message([*numbers, 0.1, 0.2, 0.3], STAMP)
        o, p = message.pose.orientation, message.pose.position
        now = (o.x, o.y, o.z, o.w)
        assert abs(sum(a * b for a, b in zip(now, q, strict=True))) == pytest.approx(1.0)
        assert last is None or sum(a * b for a, b in zip(now, last, strict=True)) > 0.99
        last = now
    assert (p.x, p.y, p.z) == (0.1, 0.2, 0.3)
    assert (message.header.frame_id, message.header.stamp) == ("base", STAMP)


def test_what_the_wheels_lack_is_named_with_what_installs_it():
    if importlib.util.find_spec("control_msgs") is not None:
        pytest.skip("control_msgs is installed")
    for row in (
        ("a", JOG, "elbow", Kind.JOINT_VELOCITY),
        ("a", GRIPPER, "command.position", Kind.GRIPPER),
        ("a", PARALLEL, "jaw", Kind.GRIPPER),
    ):
        with pytest.raises(ActionSpaceError, match="apt install ros-.*-control-msgs"):
            outputs(row)


def test_a_jog_and_the_goals_of_grippers():
    pytest.importorskip("control_msgs")
    jog, gripper, parallel = outputs(
        ("a", JOG, "elbow", Kind.JOINT_VELOCITY),
        ("b", GRIPPER, "command.position", Kind.GRIPPER),
        ("b", GRIPPER, "command.max_effort", Kind.GRIPPER),
        ("c", PARALLEL, "jaw", Kind.GRIPPER),
    )
    values = [0.1, 0.2, 30.0, 0.4]
    message = jog.message(values, STAMP)
    assert (list(message.joint_names), list(message.velocities)) == (["elbow"], [0.1])
    assert (message.header.stamp, message.duration) == (STAMP, 0.02)
    goal = gripper.message(values, STAMP)
    assert (goal.command.position, goal.command.max_effort) == (0.2, 30.0)
    goal = parallel.message(values, STAMP)
    assert (list(goal.command.name), list(goal.command.position)) == (["jaw"], [0.4])
    assert not jog.is_action and gripper.is_action and parallel.is_action


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*PLACE], "lacks pose.orientation.rotation_vector.x"),
        ([*VECTOR, *PLACE[:2]], "lacks pose.position.z"),
        ([*VECTOR, *PLACE[:2], ("p", POSE, "z", PLACE[0][3])], "'z'; accepted for geometry_msgs"),
        (
            [*VECTOR, *PLACE[:2], ("p", POSE, "pose.position.z", Kind.JOINT_POSITION)],
            "accepted for geometry_msgs/msg/PoseStamped: end_effector_position in this field",
        ),
        ([("a", TRAJECTORY, "elbow", Kind.JOINT_VELOCITY)], "accepted .* positions of joints"),
        (
            [("a", STATE, "x", Kind.JOINT_VELOCITY), ("a", STATE, "y", Kind.JOINT_POSITION)],
            "velocities of joints alone, or positions alone",
        ),
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
