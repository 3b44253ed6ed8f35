"""For the tests: a safety node and a client of the simulator, in the test's own process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from geometry_msgs.msg import PoseStamped, TwistStamped
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64

from vla_contract import topics
from vla_contract.node_testing import Client
from vla_interfaces.msg import SafeAction, SimulationTick, TaskState
from vla_interfaces.srv import ResetEpisode, RunEpisode

NAMESPACE = "/vla"
GRIPPER = "gripper"


@dataclass
class Heard:
    """Everything that the simulator has said, in the order of each topic."""

    ticks: list[SimulationTick] = field(default_factory=list)
    tasks: list[TaskState] = field(default_factory=list)
    joints: list[JointState] = field(default_factory=list)
    poses: list[PoseStamped] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)

    def digest(self) -> str:
        """Of all that robot and cameras measured, without the stamps."""
        digest = hashlib.sha256()
        for joint in self.joints:
            digest.update(joint.position.tobytes() + joint.velocity.tobytes())
        for pose in self.poses:
            digest.update(repr(pose.pose).encode())
        for image in self.images:
            digest.update(bytes(image.data))
        for task in self.tasks:
            digest.update(repr((task.task, task.seed, task.step, task.success)).encode())
        return digest.hexdigest()

    def clear(self) -> None:
        for messages in vars(self).values():
            messages.clear()


class SimulatedSafety:
    """Answers ticks only when the test says so, in the order that it says."""

    def __init__(self, domain: int, lock_step: bool) -> None:
        self.client = Client(domain, namespace=NAMESPACE)
        self.heard = Heard()
        self._lock_step = lock_step
        self._listen(TaskState, topics.TASK_STATE, self.heard.tasks)
        self._listen(JointState, topics.JOINT_STATES, self.heard.joints)
        self._listen(PoseStamped, topics.END_EFFECTOR_POSE, self.heard.poses)
        self._listen(Image, "camera/corner2/image_raw", self.heard.images, topics.CAMERA)
        if lock_step:
            self._listen(SimulationTick, topics.TICK, self.heard.ticks)
            self._safe_action = self._publisher(SafeAction, topics.SAFE_ACTION)
        self._twist = self._publisher(TwistStamped, "end_effector_twist", topics.ROBOT_COMMAND)
        self._effort = self._publisher(Float64, "gripper_effort", topics.ROBOT_COMMAND)

    def _listen(self, kind: Any, topic: str, messages: list, row: str = "") -> None:
        qos = topics.qos_profile(row or topic, lock_step=self._lock_step)
        self.client.node.create_subscription(kind, topic, messages.append, qos)

    def _publisher(self, kind: Any, topic: str, row: str = "") -> Any:
        qos = topics.qos_profile(row or topic, lock_step=self._lock_step)
        return self.client.node.create_publisher(kind, topic, qos)

    def wait_until_connected(self) -> None:
        publishers = [self._twist, self._effort] + ([self._safe_action] if self._lock_step else [])
        self.client.wait(lambda: all(p.get_subscription_count() for p in publishers), 30.0)
        self.client.wait(lambda: self.heard.tasks, 30.0)

    # What a safety node sends.

    def twist(self, velocity, stamp=None, frame: str = "base_link") -> None:
        message = TwistStamped()
        message.header.frame_id = frame
        if stamp is not None:
            message.header.stamp = stamp
        linear = message.twist.linear
        linear.x, linear.y, linear.z = (float(v) for v in velocity)
        self._twist.publish(message)

    def effort(self, value: float) -> None:
        self._effort.publish(Float64(data=float(value)))

    def safe_action(self, tick: SimulationTick, effort: float, connected: bool = True) -> None:
        message = SafeAction(tick=tick.tick, outputs_connected=connected)
        message.header.stamp = tick.header.stamp
        message.dimension_names = ["linear_x", GRIPPER]
        message.safe = [0.0, float(effort)]
        self._safe_action.publish(message)

    def answer(self, tick: SimulationTick, velocity, effort: float, order: str = "tes") -> None:
        """Twist, effort and SafeAction, in the order of their initials."""
        for letter in order:
            if letter == "t":
                self.twist(velocity, tick.header.stamp)
            elif letter == "e":
                self.effort(effort)
            else:
                self.safe_action(tick, effort)

    # What a client asks.

    def reset(self, task: str = "", seed: int = 0) -> ResetEpisode.Response:
        request = ResetEpisode.Request(task=task, seed=seed)
        return self.client.call(ResetEpisode, f"{NAMESPACE}/reset_episode", request)

    def run(self, steps: int, stop_at_success: bool = False) -> RunEpisode.Response:
        request = RunEpisode.Request(steps=steps, stop_at_success=stop_at_success)
        return self.client.call(RunEpisode, f"{NAMESPACE}/run_episode", request)
