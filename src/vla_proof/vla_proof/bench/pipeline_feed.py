"""The other processes of `vla bench pipeline`: a robot that only senses, and an echo.

python -m vla_proof.bench.pipeline_feed robot NAMESPACE CAMERA_TOPIC RATE
python -m vla_proof.bench.pipeline_feed echo
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64MultiArray

from vla_contract import topics
from vla_contract.stamps import to_seconds

WIDTH, HEIGHT = 640, 480  # px, rgb8
STATE_RATE = 50.0  # Hz
JOINTS = [*(f"right_j{i}" for i in range(7)), "gripper_opening"]
RAW_IMAGE, RAW_REPLY = "bench/image", "bench/reply"


PICTURES = 4  # that take turns: one that never changed would be a frozen camera


def picture(seed: int = 0) -> Image:
    """A 640x480 rgb8 image that does not compress."""
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    message = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=WIDTH * 3)
    message.data = pixels.tobytes()
    return message


class Robot(Node):
    """Publishes a camera, joint states and the end effector's pose, stamped as they are sent."""

    def __init__(self, namespace: str, camera: str, rate: float) -> None:
        super().__init__("bench_robot", namespace=namespace)
        self._image = self._out(Image, camera, topics.CAMERA)
        self._pictures = [picture(seed) for seed in range(PICTURES)]
        self._joints = self._out(JointState, topics.JOINT_STATES, topics.JOINT_STATES)
        self._pose = self._out(PoseStamped, topics.END_EFFECTOR_POSE, topics.END_EFFECTOR_POSE)
        self.create_timer(1.0 / rate, self._publish_image)
        self.create_timer(1.0 / STATE_RATE, self._publish_state)

    def _out(self, kind: Any, topic: str, row: str) -> Any:
        return self.create_publisher(kind, topic, topics.qos_profile(row))

    def _publish_image(self) -> None:
        self._pictures.append(shown := self._pictures.pop(0))
        shown.header.stamp = self.get_clock().now().to_msg()
        self._image.publish(shown)

    def _publish_state(self) -> None:
        stamp = self.get_clock().now().to_msg()
        joints = JointState(name=JOINTS, position=[0.5] * len(JOINTS))
        joints.header.stamp = stamp
        self._joints.publish(joints)
        pose = PoseStamped()
        pose.header.stamp, pose.header.frame_id = stamp, "base_link"
        pose.pose.position.y, pose.pose.position.z = 0.6, 0.2
        pose.pose.orientation.w = 1.0
        self._pose.publish(pose)


class Echo(Node):
    """Answers each image with its stamp and the time at which it came, s."""

    def __init__(self) -> None:
        super().__init__("bench_echo")
        qos = topics.qos_profile(topics.CAMERA)
        self._clock_ = Clock()
        self._reply = self.create_publisher(Float64MultiArray, RAW_REPLY, qos)
        self.create_subscription(Image, RAW_IMAGE, self._on_image, qos)

    def _on_image(self, message: Image) -> None:
        received = self._clock_.now().nanoseconds * 1e-9
        sent = to_seconds(message.header.stamp)
        self._reply.publish(Float64MultiArray(data=[sent, received]))


def main(arguments: list[str]) -> int:
    """Run a role until a signal ends the process."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)  # SIGTERM ends it
    if arguments[0] == "robot":
        node: Node = Robot(arguments[1], arguments[2], float(arguments[3]))
    else:
        node = Echo()
    rclpy.spin(node)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
