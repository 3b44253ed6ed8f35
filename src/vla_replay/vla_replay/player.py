"""The player's publishers and listeners: the simulator's place in the graph, without a robot."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
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
from std_msgs.msg import Bool, Header, String

from vla_contract import topics
from vla_contract.recording import exact
from vla_contract.stamps import NANOSECONDS, to_nanoseconds, to_time
from vla_interfaces.msg import (
    ActionChunk,
    Command,
    Fault,
    Observation,
    SafeAction,
    SafetyStatus,
    SimulationTick,
)
from vla_replay import cdr, pictures
from vla_replay.codec import Codec
from vla_replay.recorder import ActionsFile, Moment
from vla_replay.selection import camera_topic, observed
from vla_replay.session import RECORDED, Session

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

# Messages of one process arrive in the order of their sending; this is for a busy machine. (Waiting
# for DDS's own acknowledgement takes up to its heartbeat period of 3 s.)
COMMAND_PAUSE = 0.05
KEPT_IMAGES = 4  # of each camera, for the report: those that were sent ahead, and the present one
STATE_TYPES = {
    topics.JOINT_STATES: JointState,
    topics.END_EFFECTOR_POSE: PoseStamped,
    "odom": Odometry,
    "scan": LaserScan,
    "range": Range,
    topics.EMERGENCY_STOP: Bool,
}
SENSOR = ("odom", "scan", "range")  # rows of the QoS table that have another name
MESSAGES = {
    topics.SAFE_ACTION: SafeAction,
    topics.ACTION_CHUNK: ActionChunk,
    topics.FAULT: Fault,
    topics.SAFETY_STATUS: SafetyStatus,
    topics.PROMPT: String,
}
# Each event handler is one more thing that every wait of the executor looks at: with those that
# rclpy adds by itself a wait takes 0.6 ms instead of 0.1. Both ends have this project's QoS.
NO_PUBLISHER_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
NO_SUBSCRIPTION_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)
TICK_TYPE = "vla_interfaces/msg/SimulationTick"


class Player:
    """Publishes a bag's inputs and records what the graph answers.

    Only the inputs named here have publishers: what moves robots has none, whatever the bag holds.

    Attributes:
        now: ns, the bag's time. recording: what comes belongs to the result.
        shadow: whether the safety node has said that it sends nothing; None: not a word yet.
        paired: inputs that perception waits for with every image in lock-step.
    """

    def __init__(
        self,
        node: Node,
        session: Session,
        actions: ActionsFile,
        *,
        cameras: dict[str, bool],
        states: set[str],
        lock_step: bool,
    ) -> None:
        """cameras: name → compressed; states: which inputs the bag has."""
        self.node = node
        self.session = session
        self.actions = actions
        self.now = 0
        self.recording = False  # from the bag's beginning to its end
        self.shadow: bool | None = None
        self._sent: dict[str, deque[tuple[int, bytes]]] = {
            name: deque(maxlen=KEPT_IMAGES) for name in cameras
        }
        self._observe_times: dict[int, float] = {}  # s, perf_counter, by stamp
        self.cameras = cameras
        self.chunk_stamp = 0  # ns, of the newest chunk's observation
        self.observed_stamp = 0  # ns, of the newest observation
        self.answered = 0  # tick of the newest SafeAction
        self.diagnostics: dict[str, dict[str, str]] = {}
        self._lock_step = lock_step
        self._codec = Codec()
        self._times: dict[str, float] = {}
        self._empty: dict[str, bytes] = {}  # camera → an image without pixels
        self._image_tick = self._last_tick = -1
        self._command_id = 0
        self._listeners: list[Callable[[str], None]] = []
        self._namespace = node.get_namespace().rstrip("/")
        self._clock = node.create_publisher(
            Clock, "/clock", 10, event_callbacks=NO_PUBLISHER_EVENTS
        )
        self._tick = self._publisher(SimulationTick, topics.TICK) if lock_step else None
        self._observed_tick = (
            self._publisher(SimulationTick, observed(topics.TICK), topics.TICK)
            if lock_step
            else None
        )
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
        self.paired = [
            name for name in (topics.JOINT_STATES, topics.END_EFFECTOR_POSE) if name in states
        ]
        self._observed = {
            name: self._publisher(STATE_TYPES[name], observed(name), name)
            for name in self.paired
            if lock_step
        }
        for topic, kind in MESSAGES.items():
            self._listen(topic, kind)
        if lock_step:
            qos = topics.qos_profile(topics.OBSERVATION, lock_step=True)
            node.create_subscription(
                Observation, topics.OBSERVATION, self._on_observation, qos, raw=True,
                event_callbacks=NO_SUBSCRIPTION_EVENTS,
            )  # fmt: skip
        node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)

    def _publisher(self, kind: Any, topic: str, row: str = "") -> Any:
        qos = topics.qos_profile(row or topic, lock_step=self._lock_step)
        return self.node.create_publisher(kind, topic, qos, event_callbacks=NO_PUBLISHER_EVENTS)

    def _listen(self, topic: str, kind: Any) -> None:
        handler = {
            topics.SAFE_ACTION: self._on_safe_action,
            topics.ACTION_CHUNK: self._on_chunk,
            topics.FAULT: self._on_fault,
        }.get(topic)
        name = f"{self._namespace}/{topic}"

        def receive(data: bytes) -> None:
            message = self._codec.read(RECORDED[topic], data)
            if topic == topics.SAFETY_STATUS:
                self.shadow = bool(message.shadow)
            if not self.recording:
                # A handshake; an answer to an earlier one is none to this one.
                self.answered = max(self.answered, int(getattr(message, "tick", 0)))
                return
            if topic == topics.SAFE_ACTION and self._is_early(message):
                return
            clean = self._codec.write(RECORDED[topic], message)
            self.actions.write(name, RECORDED[topic], clean, self.now)
            if handler is not None:
                handler(message, clean)

        qos = topics.qos_profile(topic, lock_step=self._lock_step)
        self.node.create_subscription(
            kind, topic, receive, qos, raw=True, event_callbacks=NO_SUBSCRIPTION_EVENTS
        )

    def _is_early(self, message: Any) -> bool:
        """A control period of before the bag, without lock-step, which comes only now."""
        return not self._lock_step and to_nanoseconds(message.header.stamp) < self.session.begin

    # Out.

    def clock(self, stamp: int) -> None:
        """The bag's time, ns."""
        self.now = stamp
        self._clock.publish(Clock(clock=to_time(stamp)))

    def image(self, camera: str, data: bytes, stamp: int) -> None:
        """An image as it is in the bag, but for its stamp."""
        self._sent[camera].append((stamp, data))
        self._images[camera].publish(cdr.with_stamp(data, stamp))

    def no_image(self, camera: str, stamp: int) -> None:
        """In lock-step: this camera has none at this time; perception masks it."""
        if camera not in self._empty:
            kind = CompressedImage if self.cameras[camera] else Image
            self._empty[camera] = serialize_message(kind(header=Header(frame_id=camera)))
        self._images[camera].publish(cdr.with_stamp(self._empty[camera], stamp))

    def state(self, name: str, data: bytes, stamp: int) -> None:
        """A message of the robot's state or of its sensors."""
        stamped = name != topics.EMERGENCY_STOP
        self._states[name].publish(cdr.with_stamp(data, stamp) if stamped else data)

    def observed_state(self, name: str, data: bytes, stamp: int) -> None:
        """In lock-step: robot state for the observation of this stamp."""
        self._observed[name].publish(cdr.with_stamp(data, stamp))

    def no_observed_state(self, name: str, stamp: int) -> None:
        """In lock-step: nothing near enough to the image; it counts as not valid."""
        message = STATE_TYPES[name](header=Header(stamp=to_time(stamp)))
        if name == topics.END_EFFECTOR_POSE:
            message.pose.position.x = math.nan  # refused by everybody, as it must be
        else:
            message.position = [math.nan]
        self._observed[name].publish(message)

    def command(self, text: str, stamp: int) -> None:
        """A command. Whoever needs it to be received first waits `COMMAND_PAUSE`, s."""
        self._command_id += 1
        header = Header(stamp=to_time(stamp))
        self._command.publish(Command(header=header, command_id=self._command_id, text=text))
        self.session.command(text, stamp)

    def observe(self, stamp: int, episode: int, has_images: bool) -> None:
        """In lock-step: let perception make the observation of this stamp."""
        assert self._observed_tick is not None, "not in lock-step"
        data = self._tick_data(0, stamp, episode, has_images)
        self._observe_times[stamp] = time.perf_counter()
        self._observed_tick.publish(data)

    def tick(
        self, tick: int, stamp: int, episode: int, has_images: bool, repeated: Sequence[str] = ()
    ) -> None:
        """In lock-step: ask for the answer to a tick.

        repeated: inputs that have no message of this tick, whose last one counts.
        """
        assert self._tick is not None, "not in lock-step"
        self._times["tick"] = time.perf_counter()
        self._last_tick = tick
        data = self._tick_data(tick, stamp, episode, has_images, repeated)
        self._tick.publish(data)
        if self.recording:
            self.actions.write(f"{self._namespace}/{topics.TICK}", TICK_TYPE, data, stamp)

    def _tick_data(
        self, tick: int, stamp: int, episode: int, has_images: bool, repeated: Sequence[str] = ()
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
            repeated_inputs=list(repeated),
            period=self.session.period,
        )
        return self._codec.write(TICK_TYPE, message)

    def original(self, camera: str, topic: str, tick: int, stamp: int) -> None:
        """Record the stamp in the bag of an image that is replayed as of `tick`, ns."""
        reference = TimeReference(
            header=Header(stamp=to_time(tick), frame_id=camera),
            time_ref=to_time(stamp),
            source=topic,
        )
        self.actions.write(
            f"{self._namespace}/replay/image_stamp",
            "sensor_msgs/msg/TimeReference",
            exact("sensor_msgs/msg/TimeReference", serialize_message(reference)),
            tick,
        )

    def readers(self) -> list[str]:
        """What is not matched yet with as many readers as there must be."""
        needed = {"a command": (self._command, 2)}
        needed |= {f"camera {name}": (each, 1) for name, each in self._images.items()}
        needed |= {n: (self._states[n], 1 if self._observed else 2) for n in self.paired}
        needed |= {f"observed {n}": (each, 1) for n, each in self._observed.items()}
        if self._tick is not None and self._observed_tick is not None:
            needed["the ticks"] = (self._tick, 1)
            needed["the observed ticks"] = (self._observed_tick, 1)
        return [n for n, (each, count) in needed.items() if each.get_subscription_count() < count]

    # In.

    def _on_safe_action(self, message: Any, data: bytes) -> None:
        arrived = time.perf_counter()
        stamp = to_nanoseconds(message.header.stamp)
        self.answered = max(self.answered, int(message.tick))
        score, why = self.session.safe_action(message, stamp, data)
        self.session.moment(score, int(message.tick), stamp, why, lambda: self.pictures(stamp))
        if self._lock_step and "tick" in self._times:
            if int(message.tick) == self._image_tick:
                self.session.latency("image → safe action", arrived - self._times["first image"])
            elif int(message.tick) == self._last_tick:
                self.session.latency("tick without image", arrived - self._times["tick"])
        if message.observation_age == message.observation_age:
            self.session.latency("age of what is acted on", message.observation_age)

    def image_tick(self, tick: int, sent: float) -> None:
        """Tick `tick` has images, the first of which was sent at `sent`, s, perf_counter."""
        self._image_tick = tick
        self._times["first image"] = sent

    def _on_chunk(self, message: Any, data: bytes) -> None:
        arrived = time.perf_counter()
        self.chunk_stamp = max(self.chunk_stamp, to_nanoseconds(message.observation_stamp))
        self.session.observations += 1
        if message.inference_time:
            self.session.latency("model", message.inference_time)
        stamp = to_nanoseconds(message.observation_stamp)
        if (observed := self._observe_times.pop(stamp, None)) is not None:
            self.session.latency("image and state → chunk", arrived - observed)
        elif not self._lock_step:
            age = (self.now - stamp) / NANOSECONDS
            self.session.latency("image → chunk (time of the bag)", age)
        if self.session.moments.wants_even():
            taken = Moment(0.0, self.answered, stamp, "", self.pictures(stamp))
            self.session.moments.add_even(taken)

    def _on_observation(self, data: bytes) -> None:
        cursor = cdr.Cursor(data)
        cursor.header()
        stamp = cursor.number("i") * NANOSECONDS + cursor.number("I")
        self.observed_stamp = max(self.observed_stamp, stamp)
        if (observed := self._observe_times.get(stamp)) is not None:
            taken = time.perf_counter() - observed
            self.session.latency("image and state → observation", taken)

    def _on_fault(self, message: Any, data: bytes) -> None:
        self.session.fault(
            message.source, int(message.kind), int(message.level), message.message, self.now
        )

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name] = {pair.key: pair.value for pair in status.values}

    def pictures(self, stamp: int) -> dict[str, bytes]:
        """The newest image of each camera up to then, ns, as a small JPEG; later ones are ahead."""
        found = {}
        for name, sent in sorted(self._sent.items()):
            data = next((data for when, data in reversed(sent) if when <= stamp), None)
            if data is not None and (picture := pictures.jpeg(data, self.cameras[name])):
                found[name] = picture
        return found

    def waits_for(self) -> str:
        """What the nodes say that they wait for."""
        return "; ".join(
            f"{name.rsplit('/', 1)[-1]} waits for {values['waits_for']}"
            for name, values in self.diagnostics.items()
            if "waits_for" in values
        )

    def graph_drops(self) -> Counter[str]:
        """What the nodes themselves report to have dropped or refused, by node and reason.

        Not images that the bag does not have: `no_image` was said to perception from here.
        """
        found: Counter[str] = Counter()
        for name, values in self.diagnostics.items():
            for key, value in values.items():
                if value.isdigit() and int(value) and _tells_of_losses(key):
                    found[f"{name.rsplit('/', 1)[-1]}: {key}"] = int(value)
        return found


def _tells_of_losses(key: str) -> bool:
    if key.endswith(".no_image"):
        return False
    words = ("drop", "refused", "skipped", "replaced", "stale", "problems", "late")
    return any(word in key.lower() for word in words)
