"""A camera driver gone wild: 1000 images a second on the camera's topic.

python -m vla_proof.faults.pretended.camera_flood. It answers each line of its input with
{"at": steady ns, "images": sent so far}. The messages are serialized beforehand and only their
stamps are written anew, which is what makes the rate possible.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time

import rclpy
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from vla_contract import topics
from vla_contract.stamps import NANOSECONDS
from vla_proof.faults.pretended.camera_streams import IMAGE_TOPIC, SIDE, Scene

RATE = 1000.0  # Hz
PICTURES = 16
STAMP = 4  # offset of the stamp: behind the 4 bytes of the encapsulation


class Flood(Node):
    """Publishes from a thread of its own until the process ends."""

    def __init__(self) -> None:
        super().__init__("camera_flood", start_parameter_services=False, enable_rosout=False)
        profile = topics.qos_profile(topics.CAMERA)
        self._publisher = self.create_publisher(Image, IMAGE_TOPIC, profile)
        scene = Scene(1)
        self._messages = [self._serialized(scene.next().tobytes()) for _ in range(PICTURES)]
        self.images = 0

    def _serialized(self, data: bytes) -> bytearray:
        message = Image(height=SIDE, width=SIDE, encoding="rgb8", step=3 * SIDE, data=data)
        message.header.frame_id = "camera"
        return bytearray(serialize_message(message))

    def run(self) -> None:
        """For ever."""
        due = time.monotonic()
        while True:
            message = self._messages[self.images % PICTURES]
            struct.pack_into("<iI", message, STAMP, *divmod(time.time_ns(), NANOSECONDS))
            self._publisher.publish(bytes(message))
            self.images += 1
            due = max(due + 1.0 / RATE, time.monotonic() - 0.1)  # catches up 0.1 s at most
            time.sleep(max(0.0, due - time.monotonic()))


def main() -> int:
    """Until the end of the input."""
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    flood = Flood()
    threading.Thread(target=flood.run, daemon=True).start()
    for _ in sys.stdin:
        answer = {"at": time.monotonic_ns(), "images": flood.images}
        print(json.dumps(answer), flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
