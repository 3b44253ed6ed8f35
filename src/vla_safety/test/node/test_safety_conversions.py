import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from sensor_msgs.msg import JointState

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_contract.joint_states import read_joints
from vla_interfaces.msg import ActionChunk, Fault
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.core import Decision, SafetyCore, Verdict
from vla_safety.limits.limiter import Limit, LimitViolation
from vla_safety.node import safety_conversions
from vla_safety.plan.sequencing import MAX_ROWS
from vla_safety.watch.fault_levels import FaultKind, FaultReport, Level
from vla_safety.watch.safety_states import State

STAMPED = "geometry_msgs/msg/TwistStamped"
TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
LIMITS = Limits(1.0, 50.0, 5000.0)


def dimension(name, kind, unit, message_type, field):
    return Dimension(
        name,
        kind,
        unit,
        -1.0,
        1.0,
        -1.0,
        1.0,
        LIMITS,
        LIMITS,
        "f",
        Output(name, message_type, field),
    )


SPACE = ActionSpace(
    "test", 50.0, 10, 0.02, 1.0,
    (
        dimension("x", Kind.LINEAR_VELOCITY, "m/s", STAMPED, "twist.linear.x"),
        dimension("elbow", Kind.JOINT_POSITION, "rad", TRAJECTORY, "joint_3"),
        dimension("grip", Kind.GRIPPER, "m", "std_msgs/msg/Float64", "data"),
        dimension("effort", Kind.GRIPPER, "1", "std_msgs/msg/Float64", "data"),
    ),
)  # fmt: skip

SITUATION = SafetyCore(SPACE, SafetyConfig()).situation()


def test_a_chunk_comes_through_as_it_is():
    message = ActionChunk(
        observation_stamp=Time(sec=1, nanosec=5), action_space="test", command="go",
        dimension_names=["x"], actions=[0.5, math.nan], period=0.0125, command_id=2**63, done=True,
    )  # fmt: skip
    chunk = safety_conversions.chunk_from_message(message)
    assert (chunk.observation_stamp, chunk.period, chunk.command_id) == (
        10**9 + 5,
        12_500_000,
        2**63,
    )
    assert chunk.actions[0] == 0.5 and math.isnan(chunk.actions[1])
    assert (chunk.dimension_names, chunk.command, chunk.done) == (("x",), "go", True)


@pytest.mark.parametrize("period", [math.nan, math.inf, -1.0, 0.0, 1e300])
def test_a_period_that_is_none_becomes_zero(period):
    assert safety_conversions.chunk_from_message(ActionChunk(period=period)).period == 0


def test_huge_chunks_and_texts_are_cut():
    message = ActionChunk(
        actions=np.zeros(10**6).tolist(), dimension_names=["x"], command="x" * 10**5
    )
    chunk = safety_conversions.chunk_from_message(message)
    assert chunk.length == MAX_ROWS + 1 and len(chunk.command) == 201


def test_faults_go_both_ways_and_unknown_ones_are_none():
    report = FaultReport("policy", FaultKind.ACTION, Level.WARN, "odd", 5)
    message = safety_conversions.fault_to_message(report, Time(sec=1))
    assert safety_conversions.fault_from_message(message) == report
    assert safety_conversions.fault_from_message(Fault(kind=99)) is None
    assert safety_conversions.fault_from_message(Fault(level=9)) is None


def test_a_safe_action_has_everything():
    violation = LimitViolation(Limit.JERK, "x", 7.0, 5.0)
    decision = Decision(
        Verdict.LIMITED, State.NOMINAL, [1.0, 0.0, 0.0, 0.0], np.array([0.5, 0.0, 0.0, 0.0]),
        (violation,), False, True, False, SITUATION, 10**9, 0.25, 3,
    )  # fmt: skip
    message = safety_conversions.safe_action_to_message(decision, SPACE, 9, Time(sec=2))
    assert (message.tick, message.period, message.command_id) == (9, 0.02, 3)
    assert message.observation_stamp == Time(sec=1) and message.observation_age == 0.25
    assert list(message.requested)[0] == 1.0 and list(message.safe)[0] == 0.5
    (v,) = message.violations
    assert (v.limit, v.dimension, v.value, v.bound) == (v.LIMIT_JERK, "x", 7.0, 5.0)
    assert (message.verdict, message.state) == (message.VERDICT_LIMITED, 1)
    held = Decision(
        Verdict.HELD, State.HOLD, None, np.zeros(4), (), False, True, True, decision.situation
    )
    message = safety_conversions.safe_action_to_message(held, SPACE, 1, Time())
    assert all(map(math.isnan, message.requested)) and math.isnan(message.observation_age)


def test_measured_values_find_their_dimensions():
    told = JointState(name=["joint_3", "grip", "effort"], position=[0.3, 0.02, 0.9])
    joints = read_joints(told).joints
    assert safety_conversions.measured_from_joints(joints, SPACE) == {"elbow": 0.3, "grip": 0.02}
    assert safety_conversions.measured_from_joints({}, SPACE) == {}
    odometry = Odometry()
    odometry.twist.twist.linear.x = 0.7
    assert safety_conversions.measured_from_odometry(odometry, SPACE) == {"x": 0.7}


def test_a_pose_or_an_odometry_that_is_not_finite_says_so():
    pose, odometry = PoseStamped(), Odometry()
    assert pose_problem(pose) == odometry_problem(odometry) == ""
    pose.pose.position.y = math.inf
    odometry.twist.twist.angular.z = math.nan  # which no dimension commands
    assert odometry_problem(odometry) == ""
    odometry.twist.twist.linear.x = math.nan
    assert pose_problem(pose) == "tip is not finite"
    accepted = "accepted: a finite number"
    assert odometry_problem(odometry) == f"odom: the velocity of x is nan; {accepted}"


def odometry_problem(message):
    measured = safety_conversions.measured_from_odometry(message, SPACE)
    return safety_conversions.odometry_problem(message, measured, pose_needed=True)


def test_a_frame_is_named_as_in_tf2():
    pose = PoseStamped()
    pose.header.frame_id = "/map"
    assert safety_conversions.pose_from_message(pose).frame == "map"


def pose_problem(message):
    return safety_conversions.pose_problem(safety_conversions.pose_from_message(message), "tip")


@pytest.mark.parametrize("w", [0.0, 0.5, 2.0, math.nan, math.inf])
def test_a_pose_or_an_odometry_without_a_rotation_says_so(w):
    pose, odometry = PoseStamped(), Odometry()
    pose.pose.orientation.w = odometry.pose.pose.orientation.w = w
    accepted = f"quaternion is [0.0, 0.0, 0.0, {w}]; accepted: x, y, z, w of length 1"
    assert pose_problem(pose) == f"tip: {accepted}"
    assert odometry_problem(odometry) == f"odom: {accepted}"
    assert safety_conversions.odometry_problem(odometry, {}, pose_needed=False) == ""
