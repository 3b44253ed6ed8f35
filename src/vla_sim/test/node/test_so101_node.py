"""The simulator as a process with an SO-101: joint positions in, joint states at 50 Hz out."""

import os

import numpy as np
import pytest

pytest.importorskip("mujoco")

from sensor_msgs.msg import Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from vla_contract import topics
from vla_contract.node_testing import Client, node_process
from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import SafeAction, SimulationTick, TaskState
from vla_interfaces.srv import ResetEpisode, RunEpisode
from vla_sim.robot.so101_robot import HOME
from vla_sim.so101.so101_scene import JOINTS

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
ARGUMENTS = ["-r", "__ns:=/vla"]
PARAMETERS = {"robot": "so101", "cameras": ["front"], "image_width": 64, "image_height": 64}


class Arm:
    """What a safety node sends to the arm, and what it hears."""

    def __init__(self, lock_step):
        self.client = Client(DOMAIN, namespace="/vla")

        def qos(row):
            return topics.qos_profile(row, lock_step=lock_step)

        node = self.client.node
        collect = self.client.collect
        self.joints = collect(JointState, topics.JOINT_STATES, qos(topics.JOINT_STATES))
        self.tasks = collect(TaskState, topics.TASK_STATE, qos(topics.TASK_STATE))
        self.images = collect(Image, "camera/front/image_raw", qos(topics.CAMERA))
        command = qos(topics.ROBOT_COMMAND)
        self._trajectory = node.create_publisher(JointTrajectory, "joint_trajectory", command)
        publishers = [self._trajectory]
        if lock_step:
            self.ticks = collect(SimulationTick, topics.TICK, qos(topics.TICK))
            self._safe = node.create_publisher(
                SafeAction, topics.SAFE_ACTION, qos(topics.SAFE_ACTION)
            )
            publishers.append(self._safe)
        self.client.wait(lambda: all(p.get_subscription_count() for p in publishers), 30.0)
        self.client.wait(lambda: self.tasks, 30.0)

    def send(self, positions, names=JOINTS):
        point = JointTrajectoryPoint(positions=[float(value) for value in positions])
        self._trajectory.publish(JointTrajectory(joint_names=list(names), points=[point]))

    def answer(self, tick, positions):
        self.send(positions)
        message = SafeAction(tick=tick.tick, outputs_connected=True)
        message.header.stamp = tick.header.stamp
        message.dimension_names = list(JOINTS)
        message.safe = [float(value) for value in positions]
        self._safe.publish(message)


def test_in_lock_step_it_goes_where_the_trajectory_says_tick_by_tick():
    parameters = {**PARAMETERS, "lock_step": True, "task": "touch-green"}
    with node_process("vla_sim.node.node", DOMAIN, parameters, ARGUMENTS):
        arm = Arm(lock_step=True)
        request = ResetEpisode.Request(task="push-red", seed=2)
        answer = arm.client.call(ResetEpisode, "/vla/reset_episode", request)
        assert answer.success and answer.instruction == "push the red cube forward"
        arm.joints.clear()
        assert arm.client.call(RunEpisode, "/vla/run_episode", RunEpisode.Request(steps=50)).success
        for step in range(50):
            arm.client.wait(lambda step=step: len(arm.ticks) > step)
            tick = arm.ticks[step]
            assert tick.period == 0.02
            arm.answer(tick, np.array(HOME) + min(0.02 * step, 0.4) * np.eye(6)[0])
        arm.client.wait(lambda: arm.tasks[-1].step == 50)
        stamps = [to_nanoseconds(joint.header.stamp) for joint in arm.joints]
        assert set(np.diff(stamps)) == {20_000_000}
        last = arm.joints[-1]
        assert tuple(last.name) == JOINTS
        assert abs(last.position[0] - 0.4) < 0.03
        assert arm.tasks[-1].task == "push-red" and not arm.tasks[-1].success
        refused = arm.client.call(
            ResetEpisode, "/vla/reset_episode", ResetEpisode.Request(task="drawer-open")
        )
        assert not refused.success and "drawer-open" in refused.message
        arm.client.close()


def test_running_freely_it_moves_and_the_watchdog_tells_when_commands_cease():
    with node_process("vla_sim.node.node", DOMAIN, PARAMETERS, ARGUMENTS) as process:
        arm = Arm(lock_step=False)
        assert arm.tasks[-1].task == "put-red-in-tray"
        goal = np.array(HOME) + 0.2 * np.eye(6)[0]
        arm.send(goal[:3], JOINTS[:3])  # not every joint: refused

        def there():
            arm.send(goal)
            return bool(arm.joints) and abs(arm.joints[-1].position[0] - 0.2) < 0.03

        arm.client.wait(there)
        process.wait_for_output("driver: no command for 0.1 s, braking")
        arm.client.spin(0.3)
        assert abs(arm.joints[-1].position[0] - 0.2) < 0.03, "it stays where it was told to be"
        arm.client.wait(lambda: arm.images)
        arm.client.close()
        assert process.stop() == 0


def test_a_wrong_robot_gives_one_line():
    parameters = {"robot": "so1001"}
    with node_process("vla_sim.node.node", DOMAIN, parameters, ARGUMENTS) as process:
        process.wait_for_output("parameter robot is 'so1001'; accepted: metaworld, so101")
        assert "Traceback" not in process.output
