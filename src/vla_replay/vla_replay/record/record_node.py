"""Subscribes to whatever is published and hands it on as it was serialised."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from vla_contract.recording import RecordingError, definition
from vla_contract.stamps import to_nanoseconds
from vla_contract.topics import Qos
from vla_replay.record.bag_ring import Ring

LEFT_OUT = ("/rosout", "/parameter_events")
DEPTH = 100


class TopicRecorder:
    """Attributes: error: why it cannot write; empty while it can."""

    def __init__(
        self, node: Node, ring: Ring, wanted: Sequence[str] = (), sim_time: bool = False
    ) -> None:
        """wanted: full names; none: every topic."""
        self.error = ""
        self._node = node
        self._ring = ring
        self._wanted = tuple("/" + name.lstrip("/") for name in wanted)
        self._known: set[str] = set()
        self._clock = 0
        self._sim_time = sim_time
        if sim_time:
            node.create_subscription(Clock, "/clock", self._on_clock, 10)

    def _on_clock(self, message: Clock) -> None:
        self._clock = to_nanoseconds(message.clock)

    def refresh(self) -> list[str]:
        """Subscribe to what is new; lines about what was found, or cannot be recorded."""
        lines = []
        for name, kinds in self._node.get_topic_names_and_types():
            if name in self._known or name in LEFT_OUT or "/_action/" in name:
                continue
            if self._wanted and name not in self._wanted:
                continue
            publishers = self._node.get_publishers_info_by_topic(name)
            if not publishers:
                continue
            self._known.add(name)
            lines.append(self._subscribe(name, kinds[0], publishers))
        return lines

    def _subscribe(self, name: str, kind: str, publishers: list[Any]) -> str:
        try:
            definition(kind)
            package, _, message = kind.partition("/msg/")
            message_class = getattr(importlib.import_module(f"{package}.msg"), message)
        except (RecordingError, ImportError, AttributeError):
            return f"not recorded: {name}, whose type {kind} is not installed"
        reliable = all(p.qos_profile.reliability == ReliabilityPolicy.RELIABLE for p in publishers)
        local = all(
            p.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for p in publishers
        )
        profile = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=DEPTH,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=(DurabilityPolicy.TRANSIENT_LOCAL if local else DurabilityPolicy.VOLATILE),
        )

        def receive(data: Any) -> None:
            self._write(name, data)

        try:
            self._node.create_subscription(message_class, name, receive, profile, raw=True)
        except RuntimeError as error:  # as rclpy's are; DDS security may not allow it
            return f"not recorded: {name}: {error}"
        self._ring.add_topic(name, kind, Qos(reliable, local, DEPTH, "as published"))
        return f"recording {name} ({kind})"

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
