"""`doctor --axes` on a real safety node and a pretended robot that is wired wrongly."""

from __future__ import annotations

import argparse
import contextlib
import os
import threading
from pathlib import Path

import pytest
from geometry_msgs.msg import PoseStamped, TwistStamped
from sensor_msgs.msg import JointState

from vla_cli.client.command_errors import CommandError
from vla_cli.doctor import axis_measurement, doctor_axes, policy_lifecycle
from vla_cli.doctor.axis_motion import Outcome
from vla_contract.action_space import ActionSpace
from vla_contract.node_testing import Client, node_process

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
FILE = Path(__file__).resolve().parents[4] / "config" / "action_spaces" / "metaworld.yaml"
SPACE = ActionSpace.load(FILE)


class Robot:
    """Integrates what it is told, with y the wrong way and z moving x."""

    def __init__(self, namespace):
        self._client = Client(DOMAIN, namespace, name="robot")
        self._position = [0.0, 0.0, 0.0]
        node = self._client.node
        node.create_subscription(TwistStamped, "end_effector_twist", self._move, 10)
        self._poses = node.create_publisher(PoseStamped, "end_effector_pose", 10)
        self._joints = node.create_publisher(JointState, "joint_states", 10)
        node.create_timer(0.02, self._publish)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def close(self):
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _spin(self):
        while not self._ended.is_set():
            self._client.spin(0.05)

    def _move(self, message):
        told = message.twist.linear
        speed = (told.x + told.z, -told.y, 0.0)
        self._position = [p + v * SPACE.period for p, v in zip(self._position, speed, strict=True)]

    def _publish(self):
        pose = PoseStamped()
        pose.header.stamp = self._client.node.get_clock().now().to_msg()
        pose.header.frame_id = "base_link"
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = self._position
        pose.pose.orientation.w = 1.0
        self._poses.publish(pose)
        self._joints.publish(JointState(header=pose.header, name=["a"], position=[0.0]))


def options(*arguments):
    parser = argparse.ArgumentParser()
    doctor_axes.add_arguments(parser)
    return parser.parse_args(["--axes", "--namespace", "axes", *arguments])


@contextlib.contextmanager
def safety(**parameters):
    values = {
        "action_space": str(FILE),
        "heartbeat_sources": ["policy"],
        "state_file": "none",
        "recording_folder": "none",
        "workspace_required": False,
        **parameters,
    }
    with node_process("vla_safety.node.node", DOMAIN, values, ["-r", "__ns:=/axes"]) as process:
        robot = Robot("/axes")
        try:
            yield process
        finally:
            robot.close()


@pytest.fixture
def signals(monkeypatch):
    monkeypatch.setattr(doctor_axes, "raise_on_signals", lambda: None)
    monkeypatch.setattr(policy_lifecycle, "ignore_signals", lambda: None)


def test_wrong_signs_and_frames_are_found(signals, capsys):
    with safety(armed_on_start=True) as process:
        process.wait_for_output("HOLD")
        assert doctor_axes.run(options("--yes", "--seconds", "0.3")) == 1
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "ok" in lines["linear_x"].split()
    assert Outcome.WRONG_SIGN.value in lines["linear_y"]
    assert Outcome.OTHER_AXIS.value in lines["linear_z"]
    assert Outcome.NOT_MEASURED.value in lines["gripper"]
    assert lines["wrong:"].startswith("wrong: linear_y, linear_z;")


def test_a_robot_that_is_not_armed_is_left_alone(signals):
    with safety(armed_on_start=False) as process:
        process.wait_for_output("HOLD")
        with pytest.raises(CommandError, match="is not armed"):
            doctor_axes.run(options("--yes"))


class Driver:
    """Every axis moves as it is told."""

    space = SPACE

    def __init__(self):
        self.moves = []

    def direction(self, dimension):
        return 1.0

    def move(self, dimension, speed, seconds):
        self.moves.append((dimension.name, speed))
        return speed * seconds, (speed * seconds, 0.0, 0.0), 0


def test_a_person_is_asked_before_and_after():
    driver, answers, questions = Driver(), ["n", "maybe", "y", "n", "y", "y"], []

    def ask(question):
        questions.append(question)
        return answers.pop(0)

    first, second, third = SPACE.dimensions[:3]
    assert doctor_axes.examine(driver, first, 1.0, ask) is None
    assert driver.moves == []
    report = doctor_axes.examine(driver, second, 1.0, ask)
    assert (report.outcome, report.seen, report.wrong) == (Outcome.RIGHT, False, True)
    assert driver.moves == [("linear_y", pytest.approx(0.08))]  # a tenth; and not sent back
    assert not doctor_axes.examine(driver, third, 1.0, ask).wrong
    assert [speed for _, speed in driver.moves[1:]] == pytest.approx([0.08, -0.08])
    assert "move about 8.0 cm along +x of base_link: forwards?" in questions[0]
    assert "did the robot move along +y of base_link: to its left?" in questions[3]


def test_nobody_who_answers_is_no_consent():
    def ask(question):
        raise EOFError

    driver = Driver()
    with pytest.raises(CommandError, match="nobody answers"):
        doctor_axes.examine(driver, SPACE.dimensions[0], 1.0, ask)
    assert driver.moves == []


def test_times_that_are_refused():
    with pytest.raises(CommandError, match="--seconds is 60; accepted"):
        doctor_axes.run(options("--seconds", "60"))


def test_a_pose_without_a_rotation_is_no_measurement():
    pose = PoseStamped().pose
    pose.orientation.w = 0.0
    with pytest.raises(
        CommandError, match=r"^odom: quaternion is \[0.0, 0.0, 0.0, 0.0\]; accepted"
    ):
        axis_measurement.to_pose(pose, "odom", "odom")
