"""What the two ends of the safety node are given of it, and no more.

`Problems` is where anything tells what is wrong, `Entities` makes what lasts as long as the
configuration, and `Subscriptions` are those whose messages are recorded.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from std_msgs.msg import Bool

from vla_contract import topics
from vla_contract.node.graph_node import GraphNode, UnreadableMessage, deserialising
from vla_contract.recording import type_name
from vla_safety.node.outputs.goal_sender import GoalSender
from vla_safety.node.outputs.robot_outputs import Output
from vla_safety.watch.repeated_levels import CopyFilter

if TYPE_CHECKING:
    from vla_safety.node.outputs.senders import Senders

MOST_PROBLEMS = 64  # told apart: their words may hold what a stranger sent


class Problems:
    """Refused input and failures: counted, and logged at most once a second.

    Attributes:
        counters: how often each was told.
        defect: what raised since the last control period, in words; empty where nothing did.
        log: the node's logger.
    """

    def __init__(self, node: GraphNode[Any]) -> None:
        self.log = node.get_logger()
        self.counters: Counter[str] = Counter()
        self.defect = ""
        self._node = node

    def refuse(self, problem: str) -> None:
        """A message cannot be used."""
        known = problem in self.counters or len(self.counters) < MOST_PROBLEMS
        self.counters[problem if known else "other problems"] += 1
        self.log.warning(problem, throttle_duration_sec=1.0)

    def report_failure(self, what: str, error: Exception) -> str:
        """Something raised: the next control period brakes, and the stop is latched.

        A message that cannot be read says nothing of this node, and is refused as other bad input.

        Returns:
            One line that says what failed and how.
        """
        if isinstance(error, UnreadableMessage):
            self.refuse(f"{what}: {error}")
            return str(error)
        reason = self._node.count_failure(what, error)
        self.defect = f"internal error: {reason}"
        return reason


class Entities:
    """Publishers, subscriptions, services and timers of the node, until `close`."""

    def __init__(self, node: GraphNode[Any], lock_step: bool) -> None:
        """lock_step: in whose QoS the topics are."""
        self.node = node
        self._lock_step = lock_step
        self._made: list[tuple[Callable[[Any], Any], Any]] = []

    def publisher(self, message_type: Any, topic: str, row: str = "") -> Any:
        """A lifecycle publisher with the QoS of the topic's row."""
        qos = topics.qos_profile(row or topic, lock_step=self._lock_step)
        made = self.node.create_lifecycle_publisher(message_type, topic, qos)
        self._made.append((self.node.destroy_publisher, made))
        return made

    def goal_sender(self, output: Output, steady: Callable[[], int]) -> GoalSender:
        """A client of the action that an output goes to; steady: ns of a clock that never jumps."""
        made = GoalSender(self.node, output, steady)
        self._made.append((GoalSender.destroy, made))
        return made

    def subscription(
        self, kind: Any, topic: str, receive: Callable[[bytes], None], row: str
    ) -> None:
        """A subscription whose callback gets the bytes."""
        self._subscribe(kind, topic, receive, topics.qos_profile(row, lock_step=self._lock_step))

    def level_subscriptions(self, topic: str, receive: Callable[[bytes], None]) -> None:
        """The same of a std_msgs/Bool, in whatever QoS its publishers offer it."""
        accept = CopyFilter(receive, time.monotonic_ns).accept
        for qos in topics.level_profiles(topics.EMERGENCY_STOP, lock_step=self._lock_step):
            # That one of them does not fit a publisher which another fits is nothing to warn of.
            self._subscribe(Bool, topic, accept, qos, quiet=True)

    def _subscribe(self, kind: Any, topic: str, receive: Any, qos: Any, **options: Any) -> None:
        made = self.node.create_subscription(kind, topic, receive, qos, raw=True, **options)
        self._made.append((self.node.destroy_subscription, made))

    def service(self, service_type: Any, name: str, callback: Any) -> None:
        """A service of the node."""
        made = self.node.create_service(service_type, name, callback)
        self._made.append((self.node.destroy_service, made))

    def timer(self, period: float, callback: Callable[[], None]) -> Any:
        """A timer of a steady clock that does not run yet; period: s."""
        made = self.node.create_timer(period, callback, clock=self.node.steady_clock)
        made.cancel()
        self._made.append((self.node.destroy_timer, made))
        return made

    def close(self) -> None:
        """Destroy everything."""
        for destroy, made in self._made:
            destroy(made)
        self._made = []


class Subscriptions:
    """Messages are recorded, as they came, before a callback gets them."""

    def __init__(self, entities: Entities, senders: Senders) -> None:
        self._entities = entities
        self._senders = senders

    def subscribe(
        self,
        message_type: Any,
        topic: str,
        callback: Callable[[Any], None],
        row: str = "",
        raw: bool = False,
    ) -> None:
        """Subscribe in the QoS of the topic's row; raw: `callback` gets the bytes."""
        receive = callback if raw else deserialising(message_type, callback)
        recorded = self._recorded(message_type, topic, receive)
        self._entities.subscription(message_type, topic, recorded, row or topic)

    def subscribe_level(self, topic: str, callback: Callable[[Any], None]) -> None:
        """Subscribe a std_msgs/Bool, in whatever QoS its publishers offer it."""
        recorded = self._recorded(Bool, topic, deserialising(Bool, callback))
        self._entities.level_subscriptions(topic, recorded)

    def _recorded(
        self, message_type: Any, topic: str, receive: Callable[[bytes], None]
    ) -> Callable[[bytes], None]:
        name, kind = self._entities.node.resolve_topic_name(topic), type_name(message_type)

        def record_and_receive(data: bytes) -> None:
            self._senders.record(name, kind, data)
            receive(data)

        return record_and_receive
