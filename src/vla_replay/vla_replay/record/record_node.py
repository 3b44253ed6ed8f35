"""Subscribes to the graph's topics and to whatever is published, and records it as serialised."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from vla_contract import topics
from vla_contract.recording import RecordingError, definition
from vla_contract.stamps import to_nanoseconds
from vla_contract.topics import Qos
from vla_replay.record.bag_ring import Ring

LEFT_OUT = ("/rosout", "/parameter_events")
DEPTH = 100
# Who publishes the first two may be gone in a moment, and the graph hears them with the table's
# QoS alone: whatever else somebody offers, nothing of them may be missed for it. What was accepted
# before the recording may be over: only what comes is heard.
COMMANDS = (topics.COMMAND, topics.COMMAND_STAMPED, topics.ACCEPTED_COMMAND)


class TopicRecorder:
    """Records the graph's topics before anybody publishes them, and others as they are found.

    Attributes: error: why it cannot write; empty while it can.
    """

    def __init__(
        self, node: Node, ring: Ring, wanted: Sequence[str] = (), sim_time: bool = False
    ) -> None:
        """wanted: full names; none: every topic."""
        self.error = ""
        self._node = node
        self._ring = ring
        self._wanted = tuple("/" + name.lstrip("/") for name in wanted)
        self._heard: dict[str, tuple[Qos, Any]] = {}  # topic → how, its subscription, None: refused
        self._told: set[str] = set()
        self._clock = 0
        self._sim_time = sim_time
        if sim_time:
            node.create_subscription(Clock, "/clock", self._on_clock, 10)
        namespace = node.get_namespace().rstrip("/")
        self._commands = {f"{namespace}/{name}" for name in COMMANDS}
        self._lines: list[str] = []
        for topic, kind in topics.TYPES.items():
            name, qos = f"{namespace}/{topic}", topics.qos(topic)
            if topic in COMMANDS:
                qos = replace(qos, transient_local=False)
            if self._is_wanted(name) and (problem := self._subscribe(name, kind, qos)):
                self._told.add(name)
                self._lines.append(problem)

    def _on_clock(self, message: Clock) -> None:
        self._clock = to_nanoseconds(message.clock)

    def _is_wanted(self, name: str) -> bool:
        return not self._wanted or name in self._wanted

    def refresh(self) -> list[str]:
        """Subscribe to what is new; lines about what is recorded now, or cannot be."""
        lines, self._lines = self._lines, []
        for name, kinds in self._node.get_topic_names_and_types():
            if name in LEFT_OUT or "/_action/" in name or not self._is_wanted(name):
                continue
            publishers = self._node.get_publishers_info_by_topic(name)
            if not publishers:
                continue
            problem = "" if name in self._commands else self._follow(name, kinds[0], publishers)
            if name not in self._told:
                self._told.add(name)
                lines.append(problem or f"recording {name} ({kinds[0]})")
        return lines

    def _follow(self, name: str, kind: str, publishers: list[Any]) -> str:
        """Hear what all of them offer."""
        profiles = [publisher.qos_profile for publisher in publishers]
        reliable = all(each.reliability == ReliabilityPolicy.RELIABLE for each in profiles)
        local = all(each.durability == DurabilityPolicy.TRANSIENT_LOCAL for each in profiles)
        return self._subscribe(name, kind, Qos(reliable, local, DEPTH, "as published"))

    def _subscribe(self, name: str, kind: str, qos: Qos) -> str:
        """Subscribe in the place of a subscription with another QoS; why not, or nothing."""
        before, subscription = self._heard.get(name, (None, None))
        if before and (before.reliable, before.transient_local) == (
            qos.reliable, qos.transient_local
        ):  # fmt: skip
            return ""
        self._heard[name] = qos, None
        try:
            definition(kind)
            package, _, message = kind.partition("/msg/")
            message_class = getattr(importlib.import_module(f"{package}.msg"), message)
        except (RecordingError, ImportError, AttributeError):
            return f"not recorded: {name}, whose type {kind} is not installed"

        def receive(data: Any) -> None:
            self._write(name, data)

        if subscription is not None:
            self._node.destroy_subscription(subscription)
        try:
            subscription = self._node.create_subscription(
                message_class, name, receive, _profile(qos), raw=True
            )
        except RuntimeError as error:  # as rclpy's are; DDS security may not allow it
            return f"not recorded: {name}: {error}"
        self._heard[name] = qos, subscription
        self._ring.add_topic(name, kind, qos)
        return ""

    def _write(self, name: str, data: bytes) -> None:
        if self.error:
            return
        stamp = self._clock if self._sim_time else time.time_ns()
        if not stamp:
            return  # before the first /clock there is no time to write it at
        try:
            self._ring.write(name, bytes(data), stamp)
        except RecordingError as error:
            self.error = str(error)


def _profile(qos: Qos) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if qos.reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=(
            DurabilityPolicy.TRANSIENT_LOCAL if qos.transient_local else DurabilityPolicy.VOLATILE
        ),
    )
