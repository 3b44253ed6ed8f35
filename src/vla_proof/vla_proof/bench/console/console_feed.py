"""What the operator's page listens to, as one process, run as a module.

Two cameras of 640×480 at 10 Hz, a control period at 80 Hz, chunks at 20 Hz, a state each second; in
the names of the graph, without its nodes, whose work would disturb the measurement.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from sensor_msgs.msg import Image

from vla_contract import topics
from vla_contract.stamps import to_time
from vla_interfaces.msg import ActionChunk, SafeAction, SafetyStatus

CAMERAS = ("front", "wrist")
SIZE = (480, 640)  # px
NAMES = ("linear_x", "linear_y", "linear_z", "gripper")
PERIODS = {"image": 0.1, "action": 0.0125, "chunk": 0.05, "status": 1.0}  # s


class Feed:
    """The publishers and their timers; perception's subscriptions, by which cameras are found."""

    def __init__(self) -> None:
        self._node = node = rclpy.create_node("perception", namespace="/vla")
        self._images = {}
        for camera in CAMERAS:
            topic, qos = f"camera/{camera}/image_raw", topics.qos_profile(topics.CAMERA)
            self._images[camera] = node.create_publisher(Image, topic, qos)
            node.create_subscription(Image, topic, lambda data: None, qos, raw=True)
        made = {
            name: node.create_publisher(kind, name, topics.qos_profile(name))
            for name, kind in (
                (topics.SAFE_ACTION, SafeAction),
                (topics.ACTION_CHUNK, ActionChunk),
                (topics.SAFETY_STATUS, SafetyStatus),
            )
        }
        self._actions, self._chunks, self._statuses = made.values()
        noise = np.random.default_rng(1).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
        rows, columns = np.indices(SIZE)
        smooth = np.stack((rows // 2, columns // 3, (rows + columns) // 5), axis=2)
        self._pixels = (smooth * 0.9 + noise * 0.1).astype(np.uint8)  # as a camera: some noise
        self._tick = 0
        for name, period in PERIODS.items():
            node.create_timer(period, getattr(self, f"_send_{name}"))

    def spin(self) -> None:
        """Until SIGINT."""
        rclpy.spin(self._node)

    def _send_image(self) -> None:
        self._pixels = np.roll(self._pixels, 4, axis=1)
        for publisher in self._images.values():
            message = Image(height=SIZE[0], width=SIZE[1], encoding="rgb8", step=SIZE[1] * 3)
            message.data = self._pixels.tobytes()
            message.header.stamp = to_time(time.time_ns())
            publisher.publish(message)

    def _send_action(self) -> None:
        self._tick += 1
        values = [float(np.sin(self._tick / 40.0 + i)) for i in range(len(NAMES))]
        message = SafeAction(
            tick=self._tick, period=PERIODS["action"], dimension_names=list(NAMES),
            requested=values, safe=values, input="policy",
        )  # fmt: skip
        message.header.stamp = to_time(time.time_ns())
        self._actions.publish(message)

    def _send_chunk(self) -> None:
        rows = [float(np.sin((self._tick + i) / 40.0)) for i in range(32 * len(NAMES))]
        message = ActionChunk(
            dimension_names=list(NAMES), actions=rows, period=PERIODS["action"],
            observation_stamp=to_time(time.time_ns()),
        )  # fmt: skip
        self._chunks.publish(message)

    def _send_status(self) -> None:
        message = SafetyStatus(state=SafetyStatus.STATE_NOMINAL, armed=True, period=0.0125)
        message.header.stamp = message.since = to_time(time.time_ns())
        self._statuses.publish(message)


def main() -> int:
    """Publish until SIGINT or SIGTERM."""
    rclpy.init()
    try:
        Feed().spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
