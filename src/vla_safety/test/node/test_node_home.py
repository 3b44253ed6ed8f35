"""The service `home` of the running node: it moves the joints, and the status tells the end."""

import time

import numpy as np
import pytest
import yaml
from node_rig import PERIOD, Graph, safety
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_contract import topics
from vla_interfaces.msg import SafetyStatus

NAMES = ["pan", "lift"]
SPACE = {
    "name": "test", "control_rate": 20.0, "chunk": {"length": 40, "period": 0.05},
    "braking_time": 1.0,
    "dimensions": [
        {"name": name, "kind": "joint_position", "unit": "rad", "range": [-2.5, 2.5],
         "normal": {"velocity": 2.0, "acceleration": 6.0, "jerk": 120.0},
         "emergency": {"velocity": 2.0, "acceleration": 12.0, "jerk": 240.0}, "frame": "base",
         "output": {"topic": "joints", "type": "trajectory_msgs/msg/JointTrajectory",
                    "field": name}}
        for name in NAMES
    ],
}  # fmt: skip


class Arm(Graph):
    """Joints that are where they were told to be, at first at 0.5 rad."""

    def __init__(self):
        super().__init__()
        qos = topics.qos_profile(topics.ROBOT_COMMAND)
        self.sent = self.client.collect(JointTrajectory, "joints", qos)
        self._last = 0.0

    def position(self):
        return list(self.sent[-1].points[0].positions) if self.sent else [0.5, 0.5]

    def until(self, condition):
        """Tell where the joints are until the condition holds."""

        def beat():
            if time.monotonic() - self._last >= PERIOD:
                self._last = time.monotonic()
                self.states.publish(JointState(name=NAMES, position=self.position()))
                self.beat(states=False)
            return condition()

        self.client.wait(beat, 30.0)

    def home(self):
        return self.call(Trigger, topics.HOME_SERVICE)

    def ended(self, state):
        return self.status and self.status[-1].home_state == state


@pytest.fixture
def arm(parameters, space_file):
    space_file.write_text(yaml.safe_dump(SPACE))
    pose = ["pan=-0.5", "lift=0.25"]
    # Nobody plans here: there is no heartbeat of a policy, and none is needed to go home.
    with safety({**parameters, "home_pose": pose, "home_speed": 0.5}):
        made = Arm()
        try:
            made.until(lambda: made.sent and made.safe and made.safe[-1].outputs_connected)
            yield made
        finally:
            made.close()


def test_home_moves_the_joints_to_the_pose_and_tells_that_they_are_there(arm):
    response = arm.home()
    assert response.success and response.message == "moving to the start pose"
    arm.until(lambda: arm.ended(SafetyStatus.HOME_REACHED))
    assert arm.position() == pytest.approx([-0.5, 0.25])
    assert arm.status[-1].home_message == "at the start pose"
    rows = np.array([message.points[0].positions for message in arm.sent])
    assert np.allclose(rows[:, 1] - 0.5, (rows[:, 0] - 0.5) * 0.25, atol=0.01)
    assert np.abs(np.diff(rows, 2, axis=0)).max() / PERIOD**2 <= 6.0 * (1 + 1e-9)
    moving = [s for s in arm.safe if s.input == "home"]
    assert {s.slowed_by for s in moving} and 0.0 <= min(s.path_speed for s in moving) <= 1.0
    arm.until(lambda: arm.safe[-1].state == SafetyStatus.STATE_HOLD)


def test_a_stop_ends_it_on_its_way(arm):
    assert arm.home().success
    arm.until(lambda: arm.position()[0] < 0.4)
    assert arm.call(Trigger, topics.STOP_SERVICE).success
    arm.until(lambda: arm.ended(SafetyStatus.HOME_FAILED))
    assert "the stop service was called" in arm.status[-1].home_message
    arm.until(lambda: arm.sent[-1].points[0].positions == arm.sent[-2].points[0].positions)
    assert arm.position()[0] > -0.4
    refused = arm.home()
    assert not refused.success and "reset first" in refused.message
