"""Subscriptions of the cameras and of the robot's state: convert, check, hand on."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic, perf_counter
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage

from vla_contract import topics
from vla_contract.stamps import to_nanoseconds, to_time
from vla_perception import images
from vla_perception.config import CameraConfig
from vla_perception.conversions import Frame, raw_pixels
from vla_perception.detectors import ContentCheck, Defect
from vla_perception.health import NEVER, InputReport
from vla_perception.rate_gate import RateGate
from vla_perception.streams import Drop, DropCounter, Refused


class Input:
    """One subscription whose messages are checked; what is refused is counted and logged once.

    name: for people and counts. now: ns, node clock. time: s, by which silence is
    measured. on_message(stamp in ns, value): value is
    what `convert` made of the message, None where it was refused but its stamp is good.
    check_stamp(message, stamp in ns, now in ns): refuses a stamp. forget: the clock jumped.
    max_age: s, of a stamp at its arrival. rate: bounds how many messages are looked at.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        message_type: type,
        topic: str,
        qos: QoSProfile,
        *,
        convert: Callable[[Any, int], Any],
        on_message: Callable[[int, Any | None], None],
        check_stamp: Callable[[Any, int, int], None],
        forget: Callable[[], None],
        drops: DropCounter,
        now: Callable[[], int],
        time: Callable[[], float],
        mend_zero_stamps: bool = True,
        max_age: float = math.inf,
        rate: RateGate | None = None,
    ) -> None:
        self.name = name
        self.last_refusal = ""
        self._node = node
        self._convert = convert
        self._on_message = on_message
        self._check_stamp = check_stamp
        self.reset = forget
        self._drops = drops
        self._now = now
        self._time = time
        self._mend = mend_zero_stamps
        self._max_age = max_age
        self._rate = rate or RateGate(0.0, 1)
        self._qos = qos
        self._type = message_type
        self.refused_at = -NEVER  # s, `time`
        self.age = 0.0  # s, of the last good message at its arrival
        self.received = 0.0  # s, time.perf_counter() when the last message was handed over
        self.problem = ""  # why nothing can arrive, as the last look at the graph told
        self._subscription = node.create_subscription(message_type, topic, self._receive, qos)

    @property
    def topic(self) -> str:
        """Full name, after remapping."""
        return self._subscription.topic_name

    def destroy(self) -> None:
        """End the subscription."""
        self._node.destroy_subscription(self._subscription)

    def report(self) -> InputReport:
        """How it is doing."""
        refused = self._time() - self.refused_at
        return InputReport(
            self.name, self.topic, self.problem, self.last_refusal, refused, self.age
        )

    def look_at_graph(self) -> None:
        """Find out why nothing can arrive, if that is so."""
        self.problem = self._publisher_problem()

    def _publisher_problem(self) -> str:
        publishers = self._node.get_publishers_info_by_topic(self.topic)
        if not publishers:
            return f"no publisher on {self.topic}"
        expected = self._type_name()
        problems = []
        for info in publishers:
            name = f"{info.node_namespace.rstrip('/')}/{info.node_name}"
            if info.topic_type != expected:
                problems.append(f"{name} publishes {info.topic_type}, wanted is {expected}")
                continue
            compatible, reason = qos_check_compatible(info.qos_profile, self._qos)
            if compatible == QoSCompatibility.ERROR:
                words = _qos_words(reason, info, self._qos)
                problems.append(f"QoS of {name} does not fit: {words}")
        return f"{self.topic}: " + "; ".join(problems) if len(problems) == len(publishers) else ""

    def _type_name(self) -> str:
        package, kind = self._type.__module__.split(".")[:2]
        return f"{package}/{kind}/{self._type.__name__}"

    def _receive(self, message: Any) -> None:
        if not self._rate.passes(monotonic()):
            self._refused(Refused(Drop.TOO_FAST, "it comes too fast; some of it is dropped"))
            return
        self.received = perf_counter()
        now = self._now()
        stamp = to_nanoseconds(message.header.stamp)
        try:
            if stamp == 0:
                self._note(Drop.ZERO_STAMP, "stamp is 0; the time of arrival is taken")
                if not self._mend:
                    return
                stamp = now
                message.header.stamp = to_time(now)
            self._check_stamp(message, stamp, now)
        except Refused as error:
            self._refused(error)
            return
        self._on_message(stamp, self._value(message, stamp, now))

    def _value(self, message: Any, stamp: int, now: int) -> Any | None:
        self.age = (now - stamp) * 1e-9
        try:
            if self.age > self._max_age:
                raise Refused(
                    Drop.TOO_OLD,
                    f"too old: its stamp is {self.age:.1f} s behind the clock; accepted: up to "
                    f"{self._max_age:g} s",
                )
            return self._convert(message, stamp)
        except Refused as error:
            self._refused(error)
            return None

    def refuse(self, defect: Defect) -> None:
        """Note what was found wrong with a message after it was handed on."""
        self._refused(Refused(defect.reason, defect.text))

    def _refused(self, error: Refused) -> None:
        self.refused_at = self._time()
        self.last_refusal = f"{self.name}: {error}"
        self._note(error.reason, str(error))

    def _note(self, reason: Drop, text: str) -> None:
        if self._drops.count(self.name, reason):
            self._node.get_logger().warning(
                f"{self.name} ({self.topic}): {text} (said once; counted in /diagnostics)"
            )


def camera_input(
    node: Node, name: str, config: CameraConfig, *, lock_step: bool, **kwargs: Any
) -> Input:
    """The input of one camera; its values are `Frame`s."""
    qos = topics.qos_profile(topics.CAMERA, lock_step=lock_step)
    if config.reliable:
        qos.reliability = ReliabilityPolicy.RELIABLE

    content, limits = ContentCheck(config.detectors), config.damage_limits

    def checked(frame: Frame) -> Frame:
        defect = content.check(frame.pixels, frame.reduction)
        if defect is not None:
            raise Refused(defect.reason, defect.text)
        return frame

    def not_empty(message: ImageMessage | CompressedImage) -> None:
        if lock_step and not len(message.data):
            raise Refused(Drop.NONE, "there is no image of it at this tick")

    def from_raw(message: ImageMessage, stamp: int) -> Frame:
        not_empty(message)
        pixels, bgr = raw_pixels(message)
        return checked(Frame(name, stamp, message.header, pixels, bgr, message))

    def from_compressed(message: CompressedImage, stamp: int) -> Frame:
        not_empty(message)
        images.check_format(message.format)
        pixels, reduction = images.decode(message.data, config.height, config.width, limits)
        frame = Frame(name, stamp, message.header, pixels, bgr=True, reduction=reduction)
        return checked(frame)

    message_type = CompressedImage if config.compressed else ImageMessage
    convert = from_compressed if config.compressed else from_raw
    return Input(node, name, message_type, config.topic_of(name), qos, convert=convert, **kwargs)


def _qos_words(reason: str, info: Any, subscription: QoSProfile) -> str:
    publisher = info.qos_profile
    if publisher.reliability != subscription.reliability:
        return (
            f"it is {publisher.reliability.name.lower()}, the subscription is "
            f"{subscription.reliability.name.lower()}"
        )
    return " ".join(reason.split())
