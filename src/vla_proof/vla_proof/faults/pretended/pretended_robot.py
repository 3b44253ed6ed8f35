"""The pretended robot: a process whose streams can be spoilt from outside while it runs.

python -m vla_proof.faults.pretended.pretended_robot [--sim-time], in the graph's domain. It
reads orders as lines of JSON and answers each with one: {"at": steady ns, "stamp": ROS ns,
"last": {stream: stamp of its last good message}, ...}. `at` is taken before the order has an
effect, so a reaction is never made shorter.
"""

from __future__ import annotations

import json
import math
import queue
import sys
import time
from collections import deque
from typing import Any

from geometry_msgs.msg import Point, Pose, PoseArray, Twist, WrenchStamped
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage
from sensor_msgs.msg import Image, JointState, LaserScan
from std_msgs.msg import Bool

from vla_contract import topics
from vla_contract.stamps import NANOSECONDS, to_nanoseconds, to_time
from vla_proof.faults.pretended.camera_streams import IMAGE_TOPIC, SIDE, CameraMode, Scene, data_of
from vla_proof.faults.pretended.line_orders import serve
from vla_proof.faults.pretended.pretended_base import Base
from vla_safety.surroundings.contact import WRENCH
from vla_safety.surroundings.separation import PEOPLE

IMAGE_RATE = 20.0  # Hz
STATE_RATE = 50.0  # Hz
PEOPLE_RATE = 20.0  # Hz
SCAN_RATE = 10.0  # Hz
ORDER_PERIOD = 0.002  # s
CLOCK_PERIOD = 0.005  # s
DELAY = 5.0  # s
BEAMS, FREE_DISTANCE = 90, 8.0  # of the scan; m
FAR = 6.0  # m from the base: somebody who slows nothing
FOREIGN = 1.0  # angular.x, which nothing commands, of a command that is not the graph's


class PretendedRobot(Node):
    """Camera, wheels with odometry, joint states, scan, people, wrench, emergency stop; /clock."""

    def __init__(self, sim_time: bool) -> None:
        super().__init__("pretended_robot", start_parameter_services=False)
        self._sim_time = sim_time
        self._offset = 1_000_000_000_000 - time.monotonic_ns() if sim_time else 0
        self._clock_stands: int | None = None
        self._base, self._scene = Base(), Scene()
        self._mode = CameraMode.GOOD
        self._late: deque[Image] = deque()
        self._frozen = b""
        self._streams = dict.fromkeys(("joint_states", "odom", "scan", "people", "wrench"), True)
        self._person, self._push = FAR, 0.0
        self._last: dict[str, int] = {}
        self._flapping = self._pressed = False
        self.orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._make_streams()

    def _make_streams(self) -> None:
        self._image: Any = self._out(Image, IMAGE_TOPIC, topics.CAMERA)
        self._joints = self._out(JointState, "/joint_states", topics.JOINT_STATES)
        self._odometry = self._out(Odometry, "/odom", topics.JOINT_STATES)
        self._scan = self._out(LaserScan, "/scan", topics.JOINT_STATES)
        self._people = self._out(PoseArray, f"/vla/{PEOPLE}", topics.JOINT_STATES)
        self._wrench = self._out(WrenchStamped, f"/vla/{WRENCH}", topics.JOINT_STATES)
        self._button = self._out(Bool, "/emergency_stop", topics.EMERGENCY_STOP)
        profile = topics.qos_profile(topics.ROBOT_COMMAND)
        self.create_subscription(Twist, "/cmd_vel", self._on_command, profile)
        self._every(1.0 / IMAGE_RATE, self._publish_image)
        self._every(1.0 / STATE_RATE, self._publish_state)
        self._every(1.0 / SCAN_RATE, self._publish_scan)
        self._every(1.0 / PEOPLE_RATE, self._publish_people)
        self._every(1.0 / STATE_RATE, self._publish_wrench)
        self._every(1.0 / STATE_RATE, self._publish_button)
        self._every(ORDER_PERIOD, self._take_orders)
        if self._sim_time:
            self._clock_out = self.create_publisher(ClockMessage, "/clock", 10)
            self._every(CLOCK_PERIOD, self._publish_clock)

    def _out(self, kind: Any, topic: str, row: str) -> Any:
        return self.create_publisher(kind, topic, topics.qos_profile(row))

    def _every(self, period: float, callback: Any) -> Any:
        return self.create_timer(period, callback, clock=self._steady)

    def _now(self) -> int:
        """ROS time, ns."""
        if not self._sim_time:
            return self.get_clock().now().nanoseconds
        if self._clock_stands is not None:
            return self._clock_stands
        return time.monotonic_ns() + self._offset

    # Streams.

    def _on_command(self, message: Twist) -> None:
        if message.angular.x != FOREIGN:
            self._base.command(message.linear.x, message.angular.z, time.monotonic())
            self._last["command"] = time.monotonic_ns()

    def _publish_image(self) -> None:
        stamp = self._now()
        message = Image(height=SIDE, width=SIDE, encoding="rgb8", step=3 * SIDE)
        message.header.stamp, message.header.frame_id = to_time(stamp), "camera"
        if self._mode is CameraMode.FROZEN:
            message.data = self._frozen
        else:
            pixels = self._scene.next()
            self._frozen = pixels.tobytes()
            message.data = data_of(pixels, self._mode)
        if self._mode is CameraMode.DELAYED:
            self._late.append(message)
            self._publish_late()
        elif self._image is not None:
            if self._mode is CameraMode.GOOD:
                self._last["image"] = stamp
            self._image.publish(message)

    def _publish_late(self) -> None:
        due = self._now() - round(DELAY * NANOSECONDS)
        while self._late:
            if to_nanoseconds(self._late[0].header.stamp) > due:
                return
            self._image.publish(self._late.popleft())

    def _publish_state(self) -> None:
        self._base.move(time.monotonic(), 1.0 / STATE_RATE)
        stamp = self._now()
        if self._streams["joint_states"]:
            joints = JointState(name=["left_wheel", "right_wheel"])
            joints.position = [self._base.left, self._base.right]
            joints.header.stamp = to_time(stamp)
            self._joints.publish(joints)
            self._last["joint_states"] = stamp
        if self._streams["odom"]:
            self._odometry.publish(self._measured(stamp))
            self._last["odom"] = stamp

    def _measured(self, stamp: int) -> Odometry:
        message = Odometry(child_frame_id="base_link")
        message.header.stamp, message.header.frame_id = to_time(stamp), "odom"
        pose, twist = message.pose.pose, message.twist.twist
        pose.position.x, pose.position.y = self._base.x, self._base.y
        half = self._base.heading / 2.0
        pose.orientation.z, pose.orientation.w = math.sin(half), math.cos(half)
        twist.linear.x, twist.angular.z = self._base.linear, self._base.angular
        return message

    def _publish_scan(self) -> None:
        if not self._streams["scan"]:
            return
        stamp = self._now()
        message = LaserScan(angle_min=-math.pi, angle_max=math.pi, range_min=0.05, range_max=12.0)
        message.angle_increment = 2.0 * math.pi / (BEAMS - 1)
        message.header.stamp, message.header.frame_id = to_time(stamp), "base_link"
        message.ranges = [FREE_DISTANCE] * BEAMS
        self._scan.publish(message)
        self._last["scan"] = stamp

    def _publish_people(self) -> None:
        if not self._streams["people"]:
            return
        stamp = self._now()
        message = PoseArray(poses=[Pose(position=Point(x=self._person))])
        message.header.stamp, message.header.frame_id = to_time(stamp), "base_link"
        self._people.publish(message)
        if math.isfinite(self._person):
            self._last["people"] = stamp

    def _publish_wrench(self) -> None:
        if not self._streams["wrench"]:
            return
        stamp = self._now()
        message = WrenchStamped()
        message.wrench.force.x = self._push
        message.header.stamp, message.header.frame_id = to_time(stamp), "bumper"
        self._wrench.publish(message)
        if math.isfinite(self._push):
            self._last["wrench"] = stamp

    def _publish_button(self) -> None:
        if self._flapping:
            self._pressed = not self._pressed
        self._button.publish(Bool(data=self._pressed))

    def _publish_clock(self) -> None:
        self._clock_out.publish(ClockMessage(clock=to_time(self._now())))

    # Orders.

    def _take_orders(self) -> None:
        while not self.orders.empty():
            order = self.orders.get()
            answer = {"at": time.monotonic_ns(), "stamp": self._now(), "last": dict(self._last)}
            for name, value in order.items():
                getattr(self, f"_order_{name}")(value)
            print(json.dumps(answer), flush=True)

    def _order_look(self, value: Any) -> None:
        """Nothing but the answer."""

    def _order_camera(self, mode: str) -> None:
        self._mode = CameraMode(mode)
        self._late.clear()
        if self._mode is CameraMode.UNPLUGGED:
            self.destroy_publisher(self._image)
            self._image = None
        elif self._image is None:
            self._image = self._out(Image, IMAGE_TOPIC, topics.CAMERA)

    def _order_stream(self, changes: dict[str, bool]) -> None:
        self._streams.update(changes)

    def _order_person(self, distance: float) -> None:
        """Somebody stands so many m before the base."""
        self._person = distance
        self._publish_people()

    def _order_push(self, force: float) -> None:
        """The bumper is pushed, N."""
        self._push = force
        self._publish_wrench()

    def _order_button(self, what: str) -> None:
        self._flapping = what == "flapping"
        self._pressed = what == "pressed"
        self._publish_button()

    def _order_clock(self, jump: float | None) -> None:
        """Jump by this many s; None: stand still, 0: go on."""
        if jump is None:
            self._clock_stands = self._now()
            return
        if self._clock_stands is not None:
            self._offset = self._clock_stands - time.monotonic_ns()
            self._clock_stands = None
        self._offset += round(jump * NANOSECONDS)
        self._publish_clock()


def main(arguments: list[str]) -> int:
    """Run until the input ends."""
    return serve(
        lambda: PretendedRobot("--sim-time" in arguments),
        lambda robot, line: robot.orders.put(json.loads(line)),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
