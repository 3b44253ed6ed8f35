"""Proposals from URDFs and bags, against robots whose limits are known."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import JointState

from vla_cli.client.command_errors import CommandError
from vla_cli.doctor import doctor_command, doctor_limits
from vla_cli.doctor.doctor_measure import MeasureError, measure
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
        ('lower="-1.5" upper="2.0"', 'lower="3" upper="2"', r"shoulder has the range \[3, 2\]"),
        ('lower="-1.5" upper="2.0"', 'lower="2" upper="2"', r"shoulder has the range \[2, 2\]"),
        ('lower="-1.5"', 'lower="1,5"', "shoulder has lower '1,5'; accepted: a number"),
        ('lower="-1.5"', 'lower="${-pi}"', "shoulder has lower '${-pi}'"),
        ('lower="-1.5"', 'lower="nan"', "shoulder has lower 'nan'"),
        ('type="revolute">\n    <parent link="base"/><child link="upper"', 'type="floating">\n    '
         '<parent link="base"/><child link="upper"', "shoulder is of type 'floating'; accepted"),
        ('type="revolute">\n    <parent link="base"/><child link="upper"', 'type="planar">\n    '
         '<parent link="base"/><child link="upper"', "shoulder is of type 'planar'; accepted"),
        ('name="shoulder"', "", "joint (without a name) has no name"),
    ],
)  # fmt: skip
def test_a_joint_of_which_nothing_follows_is_left_out_and_named(tmp_path, old, new, words):
    path = tmp_path / "robot.urdf"
    path.write_text(URDF.replace(old, new))
    text = doctor_limits.propose(path, 50.0)
    assert loaded(tmp_path, text).dimension_names == ("lift", "wheel")
    lines = [line for line in text.splitlines() if line.startswith("# Left out: ")]
    assert re.search(words.replace("${", r"\${"), lines[0]) or words in lines[0]
    assert lines[1] == "# Left out: joint finger_2 moves with lift"


@pytest.mark.parametrize(
    ("old", "new", "bounds", "words"),
    [
        ('velocity="2.0"', 'velocity="0"', (-1.5, 2.0, 0.5), "velocity '0' in the URDF: 1 rad/s"),
        ('velocity="2.0"', "", (-1.5, 2.0, 0.5), "no velocity in the URDF: 1 rad/s by a rule"),
        ('velocity="2.0"', 'velocity="1e9"', (-1.5, 2.0, 0.5), "velocity '1e9' in the URDF"),
        ('velocity="2.0"', 'velocity="-1"', (-1.5, 2.0, 0.5), "velocity '-1' in the URDF"),
        ('velocity="2.0"', 'velocity="inf"', (-1.5, 2.0, 0.5), "velocity 'inf' in the URDF"),
        ('lower="-1.5" ', "", (0.0, 2.0, 1.0), "range of the URDF"),  # the default is 0
        ('lower="-1.5" upper="2.0"', 'lower="-1e16" upper="1e16"',
         (-6.28319, 6.28319, 1.0), "is no range: range of two turns"),
        ('effort="87"', "", (-1.5, 2.0, 1.0), "range of the URDF"),
    ],
)  # fmt: skip
def test_what_a_urdf_does_not_tell_is_proposed_by_a_rule_and_marked(
    tmp_path, old, new, bounds, words
):
    path = tmp_path / "robot.urdf"
    path.write_text(URDF.replace(old, new))
    text = doctor_limits.propose(path, 50.0)
    shoulder, *others = loaded(tmp_path, text).dimensions
    assert len(others) == 2
    assert (shoulder.low, shoulder.high, shoulder.normal.velocity) == pytest.approx(bounds)
    note = text.split('  - name: "shoulder"')[0].splitlines()[-1]
    assert note.startswith("  # ") and words in note


WHEELS = """<robot name="base"><link name="base"/><link name="l"/><link name="r"/>
  <!-- <joint name="old" type="revolute"/> -->
  <joint name="wheel_left" type="continuous"><parent link="base"/><child link="l"/></joint>
  <joint name="wheel_right" type="continuous"><parent link="base"/><child link="r"/></joint>
</robot>"""


def test_wheels_without_limits_are_proposed_by_a_rule(tmp_path):
    path = tmp_path / "base.urdf"
    path.write_text(WHEELS)
    text = doctor_limits.propose(path, 50.0)
    assert loaded(tmp_path, text).dimension_names == ("wheel_left", "wheel_right")
    assert text.count("no velocity in the URDF: 1 rad/s by a rule, CHECK IT") == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<robot", '<robot xmlns="http://www.ros.org"'),
        ("<robot", '<robot xmlns:xi="http://www.w3.org/2001/XInclude"'),
        ("</robot>", '<gazebo><joint name="x" type="revolute"/></gazebo></robot>'),
        ("</robot>", '<transmission name="t"><joint name="wheel_left"/></transmission></robot>'),
    ],
)
def test_namespaces_and_other_elements_change_nothing(tmp_path, old, new):
    (tmp_path / "base.urdf").write_text(WHEELS)
    plain = doctor_limits.propose(tmp_path / "base.urdf", 50.0)
    (tmp_path / "base.urdf").write_text(WHEELS.replace(old, new))
    assert doctor_limits.propose(tmp_path / "base.urdf", 50.0) == plain


def test_a_name_that_comes_twice_counts_once(tmp_path):
    (tmp_path / "base.urdf").write_text(WHEELS.replace("wheel_right", "wheel_left"))
    text = doctor_limits.propose(tmp_path / "base.urdf", 50.0)
    assert loaded(tmp_path, text).dimension_names == ("wheel_left",)
    assert text.startswith("# Left out: joint wheel_left has a name that came before\n")


def test_what_xacro_would_make_is_said_to_be_missing(tmp_path):
    xacro = '<robot xmlns:xacro="http://ros.org/wiki/xacro"><xacro:arm prefix="a"/>'
    path = tmp_path / "robot.urdf"
    path.write_text(WHEELS.replace('<robot name="base">', xacro))
    assert "# Left out: what xacro makes of this file: ros2 run xacro" in (
        doctor_limits.propose(path, 50.0)
    )
    path.write_text(xacro + "</robot>")
    with pytest.raises(CommandError, match="no joints .what xacro makes of this file: ros2 run"):
        doctor_limits.propose(path, 50.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (URDF.replace("</robot>", ""), "no element found"),
        ("<sdf/>", "the root is <sdf>; accepted: <robot>"),
        ("<robot/>", "has no joint that can be commanded: no joints; accepted: revolute"),
        ('<robot><joint name="a" type="fixed"/><joint name="b" type="ball"/></robot>',
         "1 fixed, 1 ball .joint b is of type 'ball'; accepted"),
    ],
)  # fmt: skip
def test_urdfs_that_are_refused(tmp_path, text, words):
    path = tmp_path / "robot.urdf"
    path.write_text(text)
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
    assert doctor_command.main(["--limits", str(path)]) == 0
    assert loaded(tmp_path, capsys.readouterr().out).width == 3
    out = tmp_path / "out.yaml"
    assert doctor_command.main(["--limits", str(path), "--out", str(out)]) == 0
    assert ActionSpace.load(out).width == 3
    assert capsys.readouterr().err == "Left out: joint finger_2 moves with lift\n"
    with pytest.raises(CommandError, match="File exists"):
        doctor_command.main(["--limits", str(path), "--out", str(out)])


# The geometry of the whole arm.

ARM = """<robot name="arm">
  <link name="base"><collision><geometry><box size="0.2 0.2 0.1"/></geometry></collision></link>
  <link name="upper"><collision><origin xyz="0 0 0.2"/><geometry><cylinder radius="0.03"
    length="0.3"/></geometry></collision></link>
  <link name="fore"><collision><origin xyz="0 0 0.2"/><geometry><box size="0.05 0.05 0.3"/>
    </geometry></collision></link>
  <joint name="lift" type="revolute"><parent link="base"/><child link="upper"/>
    <axis xyz="0 1 0"/><origin xyz="0 0 0.1"/>
    <limit lower="-2" upper="2" velocity="2" effort="9"/></joint>
  <joint name="elbow" type="revolute"><parent link="upper"/><child link="fore"/>
    <axis xyz="0 1 0"/><origin xyz="0 0 0.4"/>
    <limit lower="0.3" upper="2.5" velocity="2" effort="9"/></joint>
</robot>
"""


def doctor(tmp_path, *more):
    (tmp_path / "arm.urdf").write_text(ARM)
    return doctor_command.main(
        ["--limits", str(tmp_path / "arm.urdf"), "--out", str(tmp_path / "space.yaml"), *more]
    )


def test_a_urdf_becomes_a_geometry_that_the_safety_node_takes_and_a_picture(tmp_path, capsys):
    pytest.importorskip("pinocchio", reason="pip install pin coal")
    from vla_safety.arm.arm_geometry import ArmGeometry
    from vla_safety.arm.arm_guard import make_guard
    from vla_safety.config.safety_config import SafetyConfig

    file = tmp_path / "geometry.yaml"
    assert doctor(tmp_path, "--geometry", str(file)) == 0
    assert (tmp_path / "geometry_pairs.yaml").is_file()
    assert "# Tool links, which nothing follows: fore\n" in file.read_text()
    assert "base–fore" not in file.read_text() and ArmGeometry.load(file).pairs is not None
    space = ActionSpace.load(tmp_path / "space.yaml")
    config = SafetyConfig(arm_urdf=str(tmp_path / "arm.urdf"), arm_geometry=str(file))
    assert make_guard(space, config) is not None
    picture = (tmp_path / "geometry.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and len(picture) > 20_000
    # One that is there is drawn, with what is around the arm, and not written.
    text = file.read_text().replace(
        "[]", "[{name: table, type: plane, normal: [0, 0, 1], offset: 0}]"
    )
    file.write_text(text)
    (tmp_path / "space.yaml").unlink()
    assert doctor(tmp_path, "--geometry", str(file)) == 0
    assert file.read_text() == text and (tmp_path / "geometry.png").read_bytes() != picture
    assert "geometry_pairs.yaml" not in capsys.readouterr().out.splitlines()[-1]


def test_a_geometry_takes_a_urdf_and_a_file_of_its_action_space(tmp_path):
    (tmp_path / "arm.urdf").write_text(ARM)
    with pytest.raises(CommandError, match="--geometry takes --limits with a URDF and --out"):
        doctor_command.main(["--limits", str(tmp_path / "arm.urdf"), "--geometry", "g.yaml"])
