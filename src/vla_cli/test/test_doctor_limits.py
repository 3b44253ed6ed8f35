"""Proposals from URDFs and bags, against robots whose limits are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from vla_cli import doctor, doctor_limits
from vla_cli.doctor_measure import MeasureError, measure
from vla_cli.errors import CommandError
from vla_contract.action_space import ActionSpace
from vla_contract.recording import BagWriter, type_name

URDF = """<robot name="two_joints">
  <link name="base"/><link name="upper"/><link name="slide"/><link name="wheel"/><link name="m"/>
  <joint name="shoulder" type="revolute">
    <parent link="base"/><child link="upper"/>
    <limit lower="-1.5" upper="2.0" velocity="2.0" effort="87"/>
  </joint>
  <joint name="lift" type="prismatic">
    <parent link="upper"/><child link="slide"/>
    <limit lower="0" upper="0.4" velocity="0.2" effort="9"/>
  </joint>
  <joint name="wheel" type="continuous">
    <parent link="base"/><child link="wheel"/><limit velocity="6" effort="1"/>
  </joint>
  <joint name="finger_2" type="revolute">
    <parent link="base"/><child link="m"/><mimic joint="lift"/>
    <limit lower="0" upper="1" velocity="1" effort="1"/>
  </joint>
  <joint name="fixed" type="fixed"><parent link="base"/><child link="m"/></joint>
</robot>
"""


def loaded(tmp_path, text):
    (tmp_path / "proposed.yaml").write_text(text)
    return ActionSpace.load(tmp_path / "proposed.yaml")


def test_a_urdf_becomes_an_action_space(tmp_path):
    path = tmp_path / "robot.urdf"
    path.write_text(URDF)
    space = loaded(tmp_path, doctor_limits.propose(path, 100.0))
    assert (space.name, space.control_rate) == ("two_joints", 100.0)
    assert space.dimension_names == ("shoulder", "lift", "wheel")
    shoulder, lift, wheel = space.dimensions
    assert (shoulder.low, shoulder.high, shoulder.unit) == (-1.5, 2.0, "rad")
    assert shoulder.normal.velocity == 1.0
    assert (lift.low, lift.high, lift.unit) == (0.0, 0.4, "m")
    assert wheel.high == pytest.approx(2 * math.pi, abs=1e-4)
    assert shoulder.output.field == "shoulder"
    assert all(d.emergency.acceleration == 2 * d.normal.acceleration for d in space.dimensions)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('velocity="2.0"', 'velocity="0"', "velocity of joint shoulder is '0'"),
        ('lower="-1.5" ', "", "lower of joint shoulder is None"),
        ('lower="-1.5"', 'lower="3"', r"range of shoulder is \[3.0, 2.0\]"),
        ("</robot>", "", "no element found"),
        ("<robot", '<robot xmlns:xacro="http://ros.org/wiki/xacro"><xacro:a/></robot><x', "junk"),
    ],
)
def test_urdfs_that_are_refused(tmp_path, old, new, words):
    path = tmp_path / "robot.urdf"
    path.write_text(URDF.replace(old, new))
    with pytest.raises(CommandError, match=words):
        doctor_limits.propose(path, 50.0)


def trapezoid(t, top, acceleration):
    """Speed that rises to `top` and falls again, every 6 s, both ways."""
    phase, sign = t % 6.0, 1.0 if (t // 6.0) % 2 == 0 else -1.0
    return sign * max(0.0, min(top, acceleration * phase, acceleration * (5.0 - phase)))


@pytest.fixture
def bag(tmp_path):
    """60 s of a base and a joint, noisy, with one outlier and a command twice as fast."""
    noise = np.random.default_rng(1).normal(0.0, 0.002, 6000)
    with BagWriter(tmp_path / "drive") as writer:
        writer.add_topic("/odom", type_name(Odometry))
        writer.add_topic("/cmd_vel", type_name(Twist))
        writer.add_topic("/joint_states", type_name(JointState))
        for i in range(3000):
            t = i * 0.02
            odom = Odometry(child_frame_id="base_footprint")
            odom.header.stamp.sec, odom.header.stamp.nanosec = int(100 + t), int(t % 1.0 * 1e9)
            speed = trapezoid(t, 0.5, 0.4)
            odom.twist.twist.linear.x = 40.0 if i == 1234 else speed + noise[i]
            command = Twist()
            command.linear.x, command.angular.z = 2.0 * speed, 0.3 * math.sin(t)
            joint = JointState(name=["elbow"], position=[0.8 * math.sin(1.5 * t) + 1e-4 * noise[i]])
            joint.header = odom.header
            for topic, message in (
                ("/odom", odom),
                ("/cmd_vel", command),
                ("/joint_states", joint),
            ):
                writer.write(topic, serialize_message(message), int((100 + t) * 1e9))
    return tmp_path / "drive"


def test_a_bag_shows_how_the_robot_moved(bag, tmp_path):
    motions = {motion.name: motion for motion in measure(bag)}
    assert set(motions) == {"linear_x", "angular_z", "elbow"}
    base, elbow, turn = motions["linear_x"], motions["elbow"], motions["angular_z"]
    assert (base.topic, base.frame) == ("/odom", "base_footprint")  # measured before commanded
    assert base.velocity == pytest.approx(0.5, rel=0.05)
    assert base.acceleration == pytest.approx(0.4, rel=0.25)
    assert (elbow.low, elbow.high) == (pytest.approx(-0.8, abs=0.01), pytest.approx(0.8, abs=0.01))
    assert elbow.velocity == pytest.approx(0.8 * 1.5, rel=0.05)
    assert elbow.acceleration == pytest.approx(0.8 * 1.5**2, rel=0.05)
    assert elbow.jerk == pytest.approx(0.8 * 1.5**3, rel=0.15)
    assert turn.velocity == pytest.approx(0.3, rel=0.05)
    space = loaded(tmp_path, doctor_limits.propose(bag, 50.0))
    assert space.name == "drive"
    assert set(space.dimension_names) == set(motions)


def test_what_is_no_bag_is_refused(tmp_path):
    (tmp_path / "x.mcap").write_bytes(b"nothing")
    with pytest.raises(MeasureError, match="is no bag that can be read"):
        measure(tmp_path / "x.mcap")
    with BagWriter(tmp_path / "still") as writer:
        writer.add_topic("/cmd_vel", type_name(Twist))
        for i in range(100):
            writer.write("/cmd_vel", serialize_message(Twist()), i * 10**7)
    with pytest.raises(CommandError, match="nothing moved"):
        doctor_limits.propose(tmp_path / "still", 50.0)
    with pytest.raises(CommandError, match="does not exist"):
        doctor_limits.propose(tmp_path / "nowhere", 50.0)


def test_the_command_prints_or_writes_the_file(tmp_path, capsys):
    path = tmp_path / "robot.urdf"
    path.write_text(URDF)
    assert doctor.main(["--limits", str(path)]) == 0
    assert loaded(tmp_path, capsys.readouterr().out).width == 3
    out = tmp_path / "out.yaml"
    assert doctor.main(["--limits", str(path), "--out", str(out)]) == 0
    assert ActionSpace.load(out).width == 3
    with pytest.raises(CommandError, match="File exists"):
        doctor.main(["--limits", str(path), "--out", str(out)])
