"""Subscriptions of the cameras and of the robot's state: check, convert, hand to the observer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from sensor_msgs.msg import CompressedImage, JointState
from sensor_msgs.msg import Image as ImageMessage

from vla_contract import topics
from vla_contract.stamps import to_nanoseconds, to_time
from vla_perception.cameras import camera_images
from vla_perception.cameras.image_defects import ContentCheck, Defect
from vla_perception.cameras.rate_gate import RateGate
from vla_perception.input_health import NEVER, InputReport
from vla_perception.observe.joint_stream import JointStream
from vla_perception.observe.stamped_streams import Drop, Refused, StampGate
from vla_perception.perception_config import CameraConfig
from vla_perception.perception_conversions import Frame, check_pose, raw_pixels

if TYPE_CHECKING:
    from vla_perception.observe.observer import Observer


@dataclass(frozen=True)
class Arrival:
    """What is demanded of a message as it arrives; the defaults are those of lock-step.

    ticks: messages are stamped by a simulator's ticks. A stamp of zero is not mended then.
    future_tolerance: ns, as `StampGate`'s. max_age: s, of an image's stamp. max_rate: Hz, of
    images; 0: any. burst: so many of them at once. state_timeout: ns, as `JointStream`'s.
    """

    ticks: bool = True
    future_tolerance: int | None = None
    max_age: float = math.inf
    max_rate: float = 0.0
    burst: int = 1
    state_timeout: int = 0


class Input:
    """One subscription whose messages are checked; what is refused is counted and logged once.

    A subclass converts a message, and hands on what it made of it, None where the message was
    refused but its stamp is good. name: for people and counts.
    """

    max_age = math.inf  # s, of a stamp at its arrival

    def __init__(
        self, observer: Observer, name: str, message_type: type, topic: str, qos: QoSProfile
    ) -> None:
        self.name = name
        self.observer = observer
        self.gate = StampGate(observer.arrival.future_tolerance)
        self.last_refusal = ""
        self.refused_at = -NEVER  # s, the observer's steady time
        self.age = 0.0  # s, of the last good message at its arrival
        self.received = 0.0  # s, time.perf_counter() when the last message was handed over
        self.problem = ""  # why nothing can arrive, as the last look at the graph told
        self._qos = qos
        self._type = message_type
        self._subscription = observer.node.create_subscription(
            message_type, topic, self.receive, qos
        )

    # What subclasses say.

    def check_stamp(self, message: Any, stamp: int, now: int) -> None:
        """Accept a stamp, ns, or raise Refused."""
        self.gate.check(stamp, now)

    def reset(self) -> None:
        """The clock jumped: stamps seen so far mean nothing."""
        self.gate.reset()

    def convert(self, message: Any, stamp: int) -> Any:
        """The value of a message; raises Refused."""
        raise NotImplementedError

    def hand_on(self, stamp: int, value: Any | None) -> None:
        """Give a value to the observer."""
        raise NotImplementedError

    # The way of a message.

    def receive(self, message: Any) -> None:
        """A message came."""
        self.received = perf_counter()
        now = self.observer.now()
        stamp = to_nanoseconds(message.header.stamp)
        try:
            if stamp == 0:
                self._count(Drop.ZERO_STAMP, "stamp is 0; the time of arrival is taken")
                if self.observer.arrival.ticks:
                    return
                stamp = now
                message.header.stamp = to_time(now)
            self.check_stamp(message, stamp, now)
        except Refused as error:
            self._refused(error)
            return
        self.hand_on(stamp, self._value(message, stamp, now))

    def _value(self, message: Any, stamp: int, now: int) -> Any | None:
        self.age = (now - stamp) * 1e-9
        try:
            if self.age > self.max_age:
                why = self.observer.overload()
                raise Refused(
                    Drop.TOO_OLD,
                    f"too old: its stamp is {self.age:.1f} s behind the clock; accepted: up to "
                    f"{self.max_age:g} s{why and '; ' + why}",
                )
            return self.convert(message, stamp)
        except Refused as error:
            self._refused(error)
            return None

    def refuse(self, defect: Defect) -> None:
        """Count what was found wrong with a message after it was handed on."""
        self._refused(Refused(defect.reason, defect.text))

    def _refused(self, error: Refused) -> None:
        self.refused_at = self.observer.steady()
        self.last_refusal = f"{self.name}: {error}"
        self._count(error.reason, str(error))

    def _count(self, reason: Drop, text: str) -> None:
        if self.observer.drops.count(self.name, reason):
            self.observer.node.get_logger().warning(
                f"{self.name} ({self.topic}): {text} (said once; counted in /diagnostics)"
            )

    # The subscription.

    @property
    def topic(self) -> str:
        """Full name, after remapping."""
        return str(self._subscription.topic_name)

    def destroy(self) -> None:
        """End the subscription."""
        self.observer.node.destroy_subscription(self._subscription)

    def report(self) -> InputReport:
        """How it is doing."""
        refused = self.observer.steady() - self.refused_at
        return InputReport(
            self.name, self.topic, self.problem, self.last_refusal, refused, self.age
        )

    def look_at_graph(self) -> None:
        """Find out why nothing can arrive, if that is so."""
        publishers = self.observer.node.get_publishers_info_by_topic(self.topic)
        problems = [problem for each in publishers if (problem := self._problem_of(each))]
        self.problem = f"{self.topic}: " + "; ".join(problems) if problems else ""
        if not publishers:
            self.problem = f"no publisher on {self.topic}"
        elif len(problems) < len(publishers):
            self.problem = ""  # what one of them publishes arrives

    def _problem_of(self, publisher: Any) -> str:
        name = f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
        package, kind = self._type.__module__.split(".")[:2]
        expected = f"{package}/{kind}/{self._type.__name__}"
        if publisher.topic_type != expected:
            return f"{name} publishes {publisher.topic_type}, wanted is {expected}"
        compatible, reason = qos_check_compatible(publisher.qos_profile, self._qos)
        if compatible != QoSCompatibility.ERROR:
            return ""
        return f"QoS of {name} does not fit: {_qos_words(reason, publisher, self._qos)}"


class CameraInput(Input):
    """One camera; its values are `Frame`s."""

    def __init__(self, observer: Observer, name: str, config: CameraConfig) -> None:
        arrival = observer.arrival
        qos = topics.qos_profile(topics.CAMERA, lock_step=arrival.ticks)
        if config.reliable:
            qos.reliability = ReliabilityPolicy.RELIABLE
        self.max_age = arrival.max_age
        self._config = config
        self._content = ContentCheck(config.detectors)
        self._rate = RateGate(arrival.max_rate, arrival.burst)
        message_type = CompressedImage if config.compressed else ImageMessage
        super().__init__(observer, name, message_type, config.topic_of(name), qos)

    def receive(self, message: Any) -> None:
        """An image came; one above the bound of the rate is not looked at."""
        if self._rate.passes(monotonic()):
            super().receive(message)
        else:
            self._refused(Refused(Drop.TOO_FAST, "it comes too fast; some of it is dropped"))

    def convert(self, message: Any, stamp: int) -> Frame:
        """The checked image."""
        frame = self._frame(message, stamp)
        defect = self._content.check(frame.pixels, frame.reduction)
        if defect is not None:
            raise Refused(defect.reason, defect.text)
        return frame

    def _frame(self, message: Any, stamp: int) -> Frame:
        config = self._config
        if not config.compressed:
            pixels, bgr = raw_pixels(message)
            return Frame(self.name, stamp, message.header, pixels, bgr, message)
        camera_images.check_format(message.format)
        pixels, reduction = camera_images.decode(
            message.data, config.height, config.width, config.damage_limits
        )
        return Frame(self.name, stamp, message.header, pixels, bgr=True, reduction=reduction)

    def hand_on(self, stamp: int, value: Frame | None) -> None:
        """Give the image to the observer."""
        self.observer.on_frame(self.name, stamp, value)


class StateInput(Input):
    """Robot state; its values are messages."""

    def __init__(self, observer: Observer, name: str, message_type: type) -> None:
        self.last = -NEVER  # s, the observer's steady time of the last good message
        qos = topics.qos_profile(name, lock_step=observer.arrival.ticks)
        super().__init__(observer, name, message_type, name, qos)

    def position(self, message: Any) -> dict[str, Sequence[float]]:
        """Where the robot is, by source, rad or m."""
        raise NotImplementedError

    def hand_on(self, stamp: int, value: Any | None) -> None:
        """Give the state to the observer."""
        self.observer.on_state(self.name, stamp, value)


class JointInput(StateInput):
    """The joint states, put together from those that publish them."""

    def __init__(self, observer: Observer, joint_names: Sequence[str]) -> None:
        arrival = observer.arrival
        self.joints = JointStream(joint_names, arrival.state_timeout, arrival.future_tolerance)
        super().__init__(observer, topics.JOINT_STATES, JointState)

    def check_stamp(self, message: JointState, stamp: int, now: int) -> None:
        """Accept a stamp of the publisher of these joints, ns, or raise Refused."""
        self.joints.check_stamp(message, stamp, now)

    def reset(self) -> None:
        """The clock jumped: stamps seen so far mean nothing."""
        self.joints.forget()

    def convert(self, message: JointState, stamp: int) -> JointState:
        """The newest state of every joint."""
        return self.joints.convert(message, stamp)

    def position(self, message: JointState) -> dict[str, Sequence[float]]:
        """Joint → its position, rad or m."""
        return {
            name: (position,) for name, position in zip(message.name, message.position, strict=True)
        }


class PoseInput(StateInput):
    """The end effector's pose."""

    def __init__(self, observer: Observer) -> None:
        super().__init__(observer, topics.END_EFFECTOR_POSE, PoseStamped)

    def convert(self, message: PoseStamped, stamp: int) -> PoseStamped:
        """The pose, which is finite and a rotation."""
        check_pose(message.pose)
        return message

    def position(self, message: PoseStamped) -> dict[str, Sequence[float]]:
        """Where the end effector is, m."""
        position = message.pose.position
        return {self.name: (position.x, position.y, position.z)}


def _qos_words(reason: str, info: Any, subscription: QoSProfile) -> str:
    publisher = info.qos_profile
    if publisher.reliability != subscription.reliability:
        return (
            f"it is {publisher.reliability.name.lower()}, the subscription is "
            f"{subscription.reliability.name.lower()}"
        )
    return " ".join(reason.split())
