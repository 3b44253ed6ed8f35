"""The player's publishers: the simulator's place in the graph, without a robot."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import (
    CompressedImage,
    Image,
    JointState,
    LaserScan,
    Range,
    TimeReference,
)
from std_msgs.msg import Bool, Header

from vla_contract import topics
from vla_contract.recording import exact
from vla_contract.stamps import NANOSECONDS, to_time
from vla_interfaces.msg import Command, SimulationTick
from vla_replay.bags import cdr_fields
from vla_replay.bags.message_codec import Codec
from vla_replay.play.replay_answers import Answers
from vla_replay.play.topic_selection import camera_topic, observed

try:
    from rclpy.event_handler import PublisherEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks

# Messages of one process arrive in the order of their sending; this is for a busy machine. (Waiting
# for DDS's own acknowledgement takes up to its heartbeat period of 3 s.)
COMMAND_PAUSE = 0.05
STATE_TYPES = {
    topics.JOINT_STATES: JointState,
    topics.END_EFFECTOR_POSE: PoseStamped,
    "odom": Odometry,
    "scan": LaserScan,
    "range": Range,
    topics.EMERGENCY_STOP: Bool,
}
SENSOR = ("odom", "scan", "range")  # rows of the QoS table that have another name
NO_EVENTS = PublisherEventCallbacks(
    use_default_callbacks=False
)  # as in vla_replay.play.replay_answers
TICK_TYPE = topics.TYPES[topics.TICK]


class Player:
    """Publishes a bag's inputs.

    Only the inputs named here have publishers: what moves robots has none, whatever the bag holds.

    Attributes:
        answers: what comes back. cameras: name → its images are compressed.
        paired: inputs that perception waits for with every image in lock-step.
    """

    def __init__(
        self,
        node: Node,
        answers: Answers,
        *,
        cameras: dict[str, bool],
        states: set[str],
        lock_step: bool,
    ) -> None:
        """cameras: name → compressed; states: which inputs the bag has."""
        self.answers = answers
        self.cameras = cameras
        self.paired = [
            name for name in (topics.JOINT_STATES, topics.END_EFFECTOR_POSE) if name in states
        ]
        self._node = node
        self._lock_step = lock_step
        self._codec = Codec()
        self._command_id = 0
        self._clock = node.create_publisher(Clock, "/clock", 10, event_callbacks=NO_EVENTS)
        self._ticks = self._tick_publishers() if lock_step else {}
        self._command = self._publisher(Command, topics.COMMAND_STAMPED)
        self._images = {
            name: self._publisher(
                CompressedImage if compressed else Image,
                camera_topic(name, compressed),
                topics.CAMERA,
            )
            for name, compressed in cameras.items()
        }
        self._states = {
            name: self._publisher(
                STATE_TYPES[name], name, topics.JOINT_STATES if name in SENSOR else name
            )
            for name in states
        }
        self._observed = {
            name: self._publisher(STATE_TYPES[name], observed(name), name)
            for name in self.paired
            if lock_step
        }

    def _tick_publishers(self) -> dict[str, Any]:
        """That of the ticks, and that of those for perception alone, by topic."""
        return {
            topic: self._publisher(SimulationTick, topic, topics.TICK)
            for topic in (topics.TICK, observed(topics.TICK))
        }

    def _publisher(self, kind: Any, topic: str, row: str = "") -> Any:
        qos = topics.qos_profile(row or topic, lock_step=self._lock_step)
        return self._node.create_publisher(kind, topic, qos, event_callbacks=NO_EVENTS)

    def clock(self, stamp: int) -> None:
        """The bag's time, ns."""
        self.answers.now = stamp
        self._clock.publish(Clock(clock=to_time(stamp)))

    def image(self, camera: str, data: bytes, stamp: int) -> None:
        """An image as it is in the bag, but for its stamp."""
        self.answers.images.add(camera, stamp, data)
        self._images[camera].publish(cdr_fields.with_stamp(data, stamp))

    def state(self, name: str, data: bytes, stamp: int) -> None:
        """A message of the robot's state or of its sensors."""
        stamped = name != topics.EMERGENCY_STOP
        self._states[name].publish(cdr_fields.with_stamp(data, stamp) if stamped else data)

    def observed_state(self, name: str, data: bytes, stamp: int) -> None:
        """In lock-step: robot state for the observation of this stamp."""
        self._observed[name].publish(cdr_fields.with_stamp(data, stamp))

    def command(self, text: str, stamp: int) -> None:
        """A command. Whoever needs it to be received first waits `COMMAND_PAUSE`, s."""
        self._command_id += 1
        header = Header(stamp=to_time(stamp))
        self._command.publish(Command(header=header, command_id=self._command_id, text=text))
        self.answers.session.command(text, stamp)

    def observe(
        self, stamp: int, episode: int, has_images: bool, missing: Sequence[str] = ()
    ) -> None:
        """In lock-step: let perception make the observation of this stamp.

        missing: inputs of which nothing is sent for it.
        """
        data = self._tick_data(0, stamp, episode, has_images, missing)
        self.answers.times.observed[stamp] = time.perf_counter()
        self._ticks[observed(topics.TICK)].publish(data)

    def tick(
        self, tick: int, stamp: int, episode: int, has_images: bool, missing: Sequence[str] = ()
    ) -> None:
        """In lock-step: ask for the answer to a tick.

        missing: inputs that have no message of this tick, whose last one counts.
        """
        self.answers.times.tick, self.answers.times.tick_time = tick, time.perf_counter()
        data = self._tick_data(tick, stamp, episode, has_images, missing)
        self._ticks[topics.TICK].publish(data)
        if self.answers.recording:
            self._record(topics.TICK, TICK_TYPE, data, stamp)

    def _tick_data(
        self, tick: int, stamp: int, episode: int, has_images: bool, missing: Sequence[str]
    ) -> bytes:
        types = self._codec.types(TICK_TYPE)
        seconds, rest = divmod(stamp, NANOSECONDS)
        header = types["std_msgs/msg/Header"](
            stamp=types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=rest), frame_id=""
        )
        message = types[TICK_TYPE](
            header=header,
            tick=tick,
            episode=episode,
            has_images=has_images,
            missing_inputs=list(missing),
            period=self.answers.session.period,
        )
        return self._codec.write(TICK_TYPE, message)

    def original(self, camera: str, topic: str, tick: int, stamp: int) -> None:
        """Record the stamp in the bag of an image that is replayed as of `tick`, ns."""
        reference = TimeReference(
            header=Header(stamp=to_time(tick), frame_id=camera),
            time_ref=to_time(stamp),
            source=topic,
        )
        kind = "sensor_msgs/msg/TimeReference"
        self._record("replay/image_stamp", kind, exact(kind, serialize_message(reference)), tick)

    def _record(self, topic: str, kind: str, data: bytes, stamp: int) -> None:
        name = f"{self._node.get_namespace().rstrip('/')}/{topic}"
        self.answers.actions.write(name, kind, data, stamp)

    def readers(self) -> list[str]:
        """What is not matched yet with as many readers as there must be."""
        needed = {"a command": (self._command, 2)}
        needed |= {f"camera {name}": (each, 1) for name, each in self._images.items()}
        needed |= {n: (self._states[n], 1 if self._observed else 2) for n in self.paired}
        needed |= {f"observed {n}": (each, 1) for n, each in self._observed.items()}
        needed |= {f"the {topic}s": (each, 1) for topic, each in self._ticks.items()}
        return [n for n, (each, count) in needed.items() if each.get_subscription_count() < count]
