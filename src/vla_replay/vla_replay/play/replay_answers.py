"""What the graph answers to a replay: recorded as it comes, with the times that its hops took."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from std_msgs.msg import String

from vla_contract import topics
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_interfaces.msg import ActionChunk, Fault, Observation, SafeAction, SafetyStatus
from vla_replay.bags.message_codec import Codec
from vla_replay.play.answer_recorder import ActionsFile, Moment
from vla_replay.play.replay_session import Session
from vla_replay.results import bag_pictures

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

KEPT_IMAGES = 4  # of each camera, for the report: those that were sent ahead, and the present one
MESSAGES = {
    topics.SAFE_ACTION: SafeAction,
    topics.ACTION_CHUNK: ActionChunk,
    topics.FAULT: Fault,
    topics.SAFETY_STATUS: SafetyStatus,
    topics.PROMPT: String,
}
# Each event handler is one more thing that every wait of the executor looks at: with those that
# rclpy adds by itself a wait takes 0.6 ms instead of 0.1. Both ends have this project's QoS.
NO_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)


class SentImages:
    """The newest images of each camera. cameras: name → its images are compressed."""

    def __init__(self, cameras: dict[str, bool]) -> None:
        self._cameras = cameras
        self._sent: dict[str, deque[tuple[int, bytes]]] = {
            name: deque(maxlen=KEPT_IMAGES) for name in cameras
        }

    def add(self, camera: str, stamp: int, data: bytes) -> None:
        """An image was sent as of a stamp, ns."""
        self._sent[camera].append((stamp, data))

    def pictures(self, stamp: int) -> dict[str, bytes]:
        """The newest image of each camera up to then, ns, as a small JPEG; later ones are ahead."""
        found = {}
        for name, sent in sorted(self._sent.items()):
            data = next((data for when, data in reversed(sent) if when <= stamp), None)
            if data is not None and (picture := bag_pictures.jpeg(data, self._cameras[name])):
                found[name] = picture
        return found


@dataclass
class SendTimes:
    """In lock-step, when what was sent that an answer is timed from; s, perf_counter.

    tick, tick_time: the newest tick. image_tick, image_time: the newest with images, and the first
    of them. observed: by the stamp of an observation that was asked for, ns.
    """

    tick: int = -1
    tick_time: float = 0.0
    image_tick: int = -1
    image_time: float = 0.0
    observed: dict[int, float] = field(default_factory=dict)


class Answers:
    """Listens to the graph.

    Attributes:
        session, actions: what fills with the answers. images: for the report, kept by the player.
        times: set by the player. now: ns, the bag's time. recording: what comes belongs to the
        result, from the bag's beginning to its end. shadow: whether the safety node has said that
        it sends nothing; None: not a word yet. answered: tick of the newest SafeAction.
        chunk_stamp, observed_stamp: ns, of the newest chunk's and the newest observation.
    """

    def __init__(
        self,
        node: Node,
        session: Session,
        actions: ActionsFile,
        images: SentImages,
        *,
        lock_step: bool,
    ) -> None:
        """Subscribe."""
        self.session = session
        self.actions = actions
        self.images = images
        self.times = SendTimes()
        self.now = 0
        self.recording = False
        self.shadow: bool | None = None
        self.answered = self.chunk_stamp = self.observed_stamp = 0
        self._lock_step = lock_step
        self._codec = Codec()
        namespace = node.get_namespace().rstrip("/")
        handlers: dict[str, Callable[[Any, bytes], None]] = {
            topics.SAFE_ACTION: self._on_safe_action,
            topics.ACTION_CHUNK: self._on_chunk,
            topics.FAULT: self._on_fault,
        }
        for topic, kind in MESSAGES.items():
            receive = self._receiver(topic, f"{namespace}/{topic}", handlers.get(topic))
            self._subscribe(node, kind, topic, receive)
        if lock_step:
            self._subscribe(node, Observation, topics.OBSERVATION, self._on_observation)

    def _subscribe(
        self, node: Node, kind: Any, topic: str, receive: Callable[[bytes], None]
    ) -> None:
        qos = topics.qos_profile(topic, lock_step=self._lock_step)
        node.create_subscription(kind, topic, receive, qos, raw=True, event_callbacks=NO_EVENTS)

    def _receiver(
        self, topic: str, name: str, handler: Callable[[Any, bytes], None] | None
    ) -> Callable[[bytes], None]:
        def receive(data: bytes) -> None:
            message = self._codec.read(topics.TYPES[topic], data)
            if topic == topics.SAFETY_STATUS:
                self.shadow = bool(message.shadow)
            if not self.recording:
                # A handshake; an answer to an earlier one is none to this one.
                self.answered = max(self.answered, int(getattr(message, "tick", 0)))
                return
            if topic == topics.SAFE_ACTION and self._is_early(message):
                return
            clean = self._codec.write(topics.TYPES[topic], message)
            self.actions.write(name, topics.TYPES[topic], clean, self.now)
            if handler is not None:
                handler(message, clean)

        return receive

    def _is_early(self, message: Any) -> bool:
        """A control period of before the bag, without lock-step, which comes only now."""
        return not self._lock_step and to_nanoseconds(message.header.stamp) < self.session.begin

    def _on_safe_action(self, message: Any, data: bytes) -> None:
        arrived = time.perf_counter()
        tick, stamp = int(message.tick), to_nanoseconds(message.header.stamp)
        self.answered = max(self.answered, tick)
        score, why = self.session.safe_action(message, stamp, data)
        self.session.moment(score, tick, stamp, why, lambda: self.images.pictures(stamp))
        if tick == self.times.image_tick:
            self.session.latency("image → safe action", arrived - self.times.image_time)
        elif tick == self.times.tick:
            self.session.latency("tick without image", arrived - self.times.tick_time)
        if message.observation_age == message.observation_age:
            self.session.latency("age of what is acted on", message.observation_age)

    def _on_chunk(self, message: Any, data: bytes) -> None:
        arrived = time.perf_counter()
        stamp = to_nanoseconds(message.observation_stamp)
        self.chunk_stamp = max(self.chunk_stamp, stamp)
        self.session.observations += 1
        if message.inference_time:
            self.session.latency("model", message.inference_time)
        if (observed := self.times.observed.pop(stamp, None)) is not None:
            self.session.latency("image and state → chunk", arrived - observed)
        elif not self._lock_step:
            age = (self.now - stamp) / NANOSECONDS
            self.session.latency("image → chunk (time of the bag)", age)
        moments = self.session.moments
        even = moments.moving if self.session.moving else moments.resting
        if even.wants():
            even.add(Moment(0.0, self.answered, stamp, "", self.images.pictures(stamp)))

    def _on_observation(self, data: bytes) -> None:
        arrived = time.perf_counter()
        message = self._codec.read(topics.TYPES[topics.OBSERVATION], data)
        stamp = to_nanoseconds(message.observation_stamp)
        self.observed_stamp = max(self.observed_stamp, stamp)
        if (observed := self.times.observed.get(stamp)) is not None:
            self.session.latency("image and state → observation", arrived - observed)

    def _on_fault(self, message: Any, data: bytes) -> None:
        self.session.fault(
            message.source, int(message.kind), int(message.level), message.message, self.now
        )


class Diagnostics:
    """What the nodes tell of themselves. values: node → key → value."""

    def __init__(self, node: Node) -> None:
        self.values: dict[str, dict[str, str]] = {}
        node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._receive, 10)

    def _receive(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.values[status.name] = {pair.key: pair.value for pair in status.values}

    def waits_for(self) -> str:
        """What the nodes say that they wait for."""
        return "; ".join(
            f"{name.rsplit('/', 1)[-1]} waits for {values['waits_for']}"
            for name, values in self.values.items()
            if "waits_for" in values
        )

    def drops(self) -> Counter[str]:
        """What the nodes themselves report to have dropped or refused, by node and reason."""
        found: Counter[str] = Counter()
        for name, values in self.values.items():
            for key, value in values.items():
                if value.isdigit() and int(value) and _tells_of_losses(key):
                    found[f"{name.rsplit('/', 1)[-1]}: {key}"] = int(value)
        return found


def _tells_of_losses(key: str) -> bool:
    words = ("drop", "refused", "skipped", "replaced", "stale", "problems", "late")
    return any(word in key.lower() for word in words)
