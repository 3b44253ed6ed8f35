"""Obstacles, a person, other publishers, recordings and locked parameters, over DDS."""

import math
import time
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped, TransformStamped, TwistStamped
from node_rig import DOMAIN, FORWARD, NAMESPACE, PERIOD, assert_within_limits, new_id, safety
from rclpy.duration import Duration
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState, LaserScan, PointCloud2, PointField
from std_srvs.srv import Trigger
from tf2_ros import TransformBroadcaster

from vla_contract import topics
from vla_contract.node_testing import Client
from vla_interfaces.msg import SafetyStatus

TURN = """\
  - name: angular_z
    kind: angular_velocity
    unit: rad/s
    range: [-1.0, 1.0]
    normal: {velocity: 1.0, acceleration: 2.0, jerk: 20.0}
    emergency: {velocity: 1.0, acceleration: 2.0, jerk: 20.0}
    frame: base_link
    output: {topic: twist, type: geometry_msgs/msg/TwistStamped, field: twist.angular.z}
"""
BASE = FORWARD + TURN
NAMES = ["linear_x", "angular_z"]


def values_of(graph):
    return {v.key: v.value for a in graph.diagnostics for s in a.status for v in s.values}


def test_an_obstacle_stops_a_base_and_a_silent_scanner_too(parameters, space_file, graph):
    space_file.write_text(BASE)
    options = {
        **parameters,
        "obstacle_sources": ["scan"],
        "scan.use_tf": False,
        "scan.timeout": 1.0,
        "recovery_obstacle": 0.1,
    }
    with safety(options):
        g, command = graph(), new_id()
        scans = g.client.publisher(LaserScan, "scan", topics.qos_profile(topics.CAMERA))

        def run(condition, distance):
            def beat():
                message = LaserScan(
                    angle_min=-0.2, angle_max=0.2, angle_increment=0.1, range_min=0.05,
                    range_max=20.0, ranges=[distance] * 5,
                )  # fmt: skip
                message.header.frame_id = "laser"
                message.header.stamp = g.client.node.get_clock().now().to_msg()
                scans.publish(message)
                return condition()

            g.run(beat, command, gripper=0.0, dimension_names=NAMES)

        run(lambda: g.speed >= 0.39, 10.0)
        run(lambda: g.at_rest() and "m away" in g.status[-1].cause, 0.3)
        assert any(w.limit == w.LIMIT_OBSTACLE for s in g.safe for w in s.warnings)
        run(lambda: g.speed >= 0.39, 10.0)
        before = len(g.status)
        g.run(g.at_rest, command, gripper=0.0, dimension_names=NAMES)
        # Not of the last status alone: this client falls silent, too, which is told next.
        g.client.wait(lambda: any("invalid source scan" in s.cause for s in g.status[before:]))


def cloud_of(points):
    """A PointCloud2 of points, each x, y, z."""
    message = PointCloud2(height=1, width=len(points), point_step=12, row_step=12 * len(points))
    message.fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate("xyz")
    ]
    message.data = np.array(points, dtype=np.float32).tobytes()
    return message


def test_a_point_cloud_stops_a_base_and_one_that_is_none_is_named(parameters, space_file, graph):
    space_file.write_text(BASE)
    options = {
        **parameters,
        "obstacle_sources": ["cloud"],
        "cloud.type": "pointcloud",
        "cloud.use_tf": False,
        "cloud.timeout": 1.0,
        "recovery_obstacle": 0.1,
    }
    with safety(options):
        g, command = graph(), new_id()
        clouds = g.client.publisher(PointCloud2, "cloud", topics.qos_profile(topics.CAMERA))

        def run(condition, message):
            def beat():
                clouds.publish(message)
                return condition()

            g.run(beat, command, gripper=0.0, dimension_names=NAMES)

        run(lambda: g.speed >= 0.39, cloud_of([(10.0, 0.0, 0.5)]))
        run(
            lambda: g.at_rest() and "m away" in g.status[-1].cause,
            cloud_of([(10.0, 0.0, 0.5), (0.3, 0.0, 0.5)]),
        )
        run(lambda: g.speed >= 0.39, cloud_of([(10.0, 0.0, 0.5)]))
        run(
            lambda: g.at_rest() and "cloud has fields none" in g.status[-1].cause,
            PointCloud2(height=1, width=1, point_step=12, row_step=12, data=bytes(12)),
        )
        whole = serialize_message(cloud_of([(10.0, 0.0, 0.5)]))
        run(lambda: g.speed >= 0.39, whole)
        run(lambda: any("of this ROS" in text for text in values_of(g)), whole[:-8])


def test_a_scanner_with_no_clock_is_taken_and_one_with_another_is_named(
    parameters, space_file, graph
):
    space_file.write_text(BASE)
    options = {**parameters, "obstacle_sources": ["scan"], "scan.use_tf": False}
    with safety({**options, "scan.timeout": 1.0}):
        g, command = graph(), new_id()
        scans = g.client.publisher(LaserScan, "scan", topics.qos_profile(topics.CAMERA))

        def run(condition, seconds):
            """seconds: of the stamp since the scanner was switched on."""
            message = LaserScan(
                angle_min=-0.2, angle_increment=0.1, range_min=0.05, range_max=20.0,
                ranges=[math.inf] * 5,
            )  # fmt: skip
            message.header.stamp.sec = seconds

            def beat():
                scans.publish(message)
                return condition()

            g.run(beat, command, gripper=0.0, dimension_names=NAMES)

        run(lambda: g.speed >= 0.39, 0)
        run(lambda: g.at_rest() and "s behind the node's clock" in g.status[-1].cause, 90)
        words = "or a stamp of 0"
        assert words in g.status[-1].cause
        run(lambda: g.at_rest() and "s ahead of the node's clock" in g.status[-1].cause, 2**31 - 1)


def test_an_arm_without_workspace_or_pose_holds_and_says_what_is_missing(parameters, graph):
    with safety({**parameters, "workspace_required": True}):
        g = graph()
        g.run(lambda: "no workspace" in g.status[-1].cause, new_id())
        assert "workspace_low" in g.status[-1].clears_when
    box = {"workspace_low": [-1.0, -1.0, -1.0], "workspace_high": [1.0, 1.0, 1.0]}
    g.close()
    with safety({**parameters, **box}):
        g, command = graph(), new_id()
        poses = g.client.publisher(
            PoseStamped, topics.END_EFFECTOR_POSE, topics.qos_profile(topics.END_EFFECTOR_POSE)
        )
        g.run(lambda: "end_effector_pose was never received" in g.status[-1].cause, command)
        x = 0.0

        def beat():
            nonlocal x
            # The arm follows its command.
            x = sum(t.twist.linear.x for t in g.twists) * PERIOD
            message = PoseStamped()
            message.header.stamp = g.client.node.get_clock().now().to_msg()
            message.header.frame_id = "base_link"
            message.pose.position.x, message.pose.orientation.w = x, 1.0
            poses.publish(message)
            return x > 0.8 and abs(g.speed) < 0.02

        g.run(beat, command)
        assert x <= 1.0
        assert any(v.limit == v.LIMIT_WORKSPACE for s in g.safe for v in s.violations)


def test_a_place_by_tf_that_is_nowhere_is_refused_and_the_arm_holds(parameters, graph):
    box = {"workspace_low": [-9.0, -9.0, -9.0], "workspace_high": [9.0, 9.0, 9.0]}
    with safety({**parameters, **box, "position_source": "tf", "tip_frame": "tip"}) as process:
        g, command = graph(), new_id()
        tf = TransformBroadcaster(g.client.node)
        transform = TransformStamped(child_frame_id="tip")
        transform.header.frame_id = "base_link"

        def run(condition, x):
            def beat():
                transform.header.stamp = g.client.node.get_clock().now().to_msg()
                transform.transform.translation.x = x
                tf.sendTransform(transform)
                return condition()

            g.run(beat, command)

        run(lambda: g.speed >= 0.39, 0.0)
        run(lambda: g.at_rest() and "the position is not known" in g.status[-1].cause, math.inf)
        process.wait_for_output("transform base_link ← tip is not finite")


def test_a_person_takes_over_and_the_policy_waits_for_a_new_command(parameters, space_file, graph):
    options = {
        **parameters,
        "teleop_inputs": ["joystick"],
        "joystick.type": "geometry_msgs/msg/TwistStamped",
        "joystick.timeout": 0.5,
    }
    with safety(options):
        g, command = graph(), new_id()
        stick = g.client.publisher(TwistStamped, "teleop/joystick", 10)
        g.run(lambda: g.speed >= 0.39, command)
        assert g.safe[-1].input == g.status[-1].input == "policy"

        def drive():
            message = TwistStamped()
            message.header.stamp = g.client.node.get_clock().now().to_msg()
            message.header.frame_id = "base_link"
            message.twist.linear.x = -0.2
            stick.publish(message)
            return g.speed == pytest.approx(-0.2)

        g.run(drive, command)
        assert g.safe[-1].input == "joystick"
        g.run(lambda: g.at_rest() and "a person drove" in g.status[-1].cause, command)
        assert_within_limits(g, space_file)
        g.run(lambda: g.speed >= 0.39, new_id())


def test_another_publisher_of_commands_holds_whatever_its_name(parameters, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        for name in ("intruder", "safety"):
            g.run(lambda: g.speed >= 0.39, command)
            other = Client(DOMAIN, NAMESPACE, name)
            try:
                other.publisher(TwistStamped, "twist", 10)
                appeared = time.monotonic()
                g.run(lambda name=name: g.at_rest() and name in g.status[-1].cause, command)
                assert time.monotonic() - appeared < 10.0
            finally:
                other.close()
        g.run(lambda: g.speed >= 0.39, command)


def test_two_safety_nodes_hold_until_one_is_left(parameters, tmp_path, graph):
    with safety(parameters):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        with safety({**parameters, "state_file": str(tmp_path / "other.json")}) as second:
            g.run(lambda: g.at_rest() and "another safety node" in g.status[-1].cause, command)
            second.wait_for_output("HOLD")
        g.run(lambda: g.speed >= 0.39, new_id())


def test_a_stop_is_recorded_and_found_in_the_status(parameters, graph):
    with safety({**parameters, "recording_tail": 0.2}):
        g, command = graph(), new_id()
        g.run(lambda: g.speed >= 0.39, command)
        assert not Path(parameters["recording_folder"]).exists()
        assert g.call(Trigger, "stop").success
        g.run(lambda: g.status[-1].recording, command)
        folder = Path(g.status[-1].recording)
        assert folder.parent == Path(parameters["recording_folder"])
        assert "STOPPED" in folder.name and list(folder.glob("*.mcap"))
        assert g.status[-1].causes[0] == "the stop service was called"


def test_what_loosens_is_refused_while_the_parameters_are_locked(parameters, graph):
    with safety({**parameters, "parameter_lock": True, "speed_scale": 0.5}):
        g = graph()
        refused = g.set("speed_scale", 0.6)
        assert not refused.successful and "locked" in refused.reason
        assert not g.set("parameter_lock", False).successful
        assert g.set("speed_scale", 0.3).successful
        g.run(lambda: g.status[-1].speed_scale == pytest.approx(0.3), None)


def test_stamps_that_go_back_are_refused_and_recovered_from(parameters, graph):
    with safety({**parameters, "recovery_robot_state": 1.0, "error_count": 2}):
        g, command = graph(), new_id()
        stamp = g.client.node.get_clock().now().to_msg()
        held = []

        def frozen():
            message = JointState(name=["a"], position=[0.0])
            message.header.stamp = stamp
            g.states.publish(message)
            g.beat(states=False)
            g.chunk(command)
            held.append(g.status[-1])
            return any("goes back" in key for key in values_of(g)) and any(
                s.level == DiagnosticStatus.ERROR for a in g.diagnostics for s in a.status
            )

        g.run(lambda: g.speed >= 0.39, command, stamped=True)
        g.client.wait(lambda: (time.sleep(PERIOD), frozen())[1])
        assert "joint_states is older" in g.status[-1].cause
        g.run(lambda: g.status[-1].recovery_left > 0.0, command, stamped=True)
        g.run(lambda: g.speed >= 0.39, command, stamped=True)
        assert math.isclose(g.status[-1].recovery_left, 0.0)


def test_two_drivers_of_joint_states_and_one_that_falls_silent(parameters, graph):
    """Each tells its joint, and NaN of what it does not measure; the stamps of the two cross."""
    with safety({**parameters, "required_joints": ["arm", "grip"]}):
        g, command = graph(), new_id()
        telling = {"arm": 0, "grip": 20_000_000}
        last = time.monotonic()

        def beat():
            nonlocal last
            if time.monotonic() - last >= PERIOD:
                last = time.monotonic()
                for name, late in telling.items():
                    message = JointState(name=[name, "w"], position=[0.0, math.nan])
                    message.velocity, now = [math.nan] * 2, g.client.node.get_clock().now()
                    message.header.stamp = (now - Duration(nanoseconds=late)).to_msg()
                    g.states.publish(message)
                g.beat(states=False)
                g.chunk(command)

        def meanwhile(condition):
            g.client.wait(lambda: (beat(), condition())[1])

        meanwhile(lambda: g.speed >= 0.39)
        del telling["grip"]
        meanwhile(lambda: "joint grip is silent for" in g.status[-1].cause)
        assert g.status[-1].state == SafetyStatus.STATE_HOLD
        telling["grip"] = 20_000_000
        meanwhile(lambda: g.speed >= 0.39 and g.status[-1].state == SafetyStatus.STATE_NOMINAL)


def test_status_has_everything(parameters, graph):
    with safety(parameters):
        g = graph()
        g.run(lambda: g.speed >= 0.39, new_id())
        g.run(lambda: g.status[-1].state == SafetyStatus.STATE_NOMINAL, None)
        status = g.status[-1]
        assert (status.causes, status.recording, status.recovery_left) == ([], "", 0.0)
        g.run(lambda: "detector: tracking" in values_of(g), None)
