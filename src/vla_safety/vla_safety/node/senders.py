"""What goes out: robot commands, SafeAction, SafetyStatus, fault levels; and what is recorded.

A message is serialised once, for the topic and for the ring of the recorder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rclpy.serialization import serialize_message

from vla_contract import topics
from vla_contract.recording import type_name
from vla_contract.stamps import NANOSECONDS, to_nanoseconds, to_time
from vla_interfaces.msg import Fault, SafeAction, SafetyStatus
from vla_safety.decision import Decision
from vla_safety.node.graph_watch import endpoints
from vla_safety.node.outputs import make_outputs
from vla_safety.node.reports import FaultLevels, Figures, StatusKey, status_key, status_message
from vla_safety.node.safety_conversions import safe_action_to_message
from vla_safety.node.stop_recorder import RecorderSettings, StopRecorder
from vla_safety.watch.safety_states import State

if TYPE_CHECKING:
    from vla_safety.node.node import SafetyNode

# Words with a figure that changes in every period are told no more often, ns.
WORDS_PERIOD = NANOSECONDS // 10
_ACTING = (State.NOMINAL, State.DEGRADED)


class Senders:
    """Made when the node is configured; the node destroys the publishers."""

    def __init__(self, node: SafetyNode, settings: RecorderSettings | None) -> None:
        """settings: of the recorder; None where nothing is recorded."""
        self._node = node
        self._core = node.core
        self.recorder = StopRecorder(settings) if settings is not None else None
        self._levels = FaultLevels(node.get_name())
        self._safe_actions = _Sender(self, node.publisher(SafeAction, topics.SAFE_ACTION))
        self.statuses = _Sender(self, node.publisher(SafetyStatus, topics.SAFETY_STATUS))
        self._faults = node.publisher(Fault, topics.FAULT)
        self.own_ids: set[bytes] = set()
        self.robot = [
            (_Sender(self, self._robot_publisher(o.message_type, o.topic)), o)
            for o in make_outputs(node.core.space)
        ]
        self._key: StatusKey | None = None
        self._told = 0
        self._state = State.INACTIVE

    def _robot_publisher(self, message_type: Any, topic: str) -> Any:
        # The graph knows a new publisher of this process at once, so the new ids are its own.
        name = self._node.resolve_topic_name(topic)
        before = {endpoint.gid for endpoint in endpoints(self._node, name)}
        publisher = self._node.publisher(message_type, topic, topics.ROBOT_COMMAND)
        own = self._node.get_fully_qualified_name()
        after = {endpoint.gid for endpoint in endpoints(self._node, name) if endpoint.node == own}
        self.own_ids |= after - before
        return publisher

    @property
    def robot_topics(self) -> dict[str, str]:
        """Types of the robot's commands by the full names of their topics."""
        return {sender.topic: sender.type for sender, _ in self.robot}

    def actions(
        self, decision: Decision, tick: int, stamp: Any
    ) -> Iterator[tuple[str, Callable[[], None]]]:
        """What is to be sent of one period, each with its name: a failure of one is its own."""
        values = decision.safe.tolist()
        for sender, output in self.robot if decision.connected else ():
            yield (
                f"topic {sender.topic}",
                lambda s=sender, o=output: s.send(o.message(values, stamp)),  # type: ignore[misc]
            )
        yield (
            "safe_action",
            lambda: self._safe_actions.send(
                safe_action_to_message(decision, self._core.space, tick, stamp)
            ),
        )
        yield "safety_status", lambda: self.send_status(decision)

    def send_status(self, decision: Decision, force: bool = False) -> None:
        """The status, where it has changed or must be told; a change of state is logged once."""
        node, core = self._node, self._core
        key = status_key(core, decision)
        if not force and not self._is_news(key):
            return
        if self._key is None or key.state is not self._key.state:
            node.get_logger().info(f"{key.state.name}" + (f": {key.cause}" if key.cause else ""))
        self._key, self._told = key, node.steady()
        folder = self.recorder.folder if self.recorder else ""
        now = node.now()
        figures = Figures(node.timing, folder, self._levels.messages(core, now))
        self.statuses.send(status_message(core, decision, figures, to_time(now)))
        self._note_stop(key)

    def _is_news(self, key: StatusKey) -> bool:
        if key == self._key:
            return False
        if self._key is None or not key.differs_in_words(self._key):
            return True
        return not 0 <= self._node.steady() - self._told < WORDS_PERIOD

    def _note_stop(self, key: StatusKey) -> None:
        before, self._state = self._state, key.state
        hard = key.state is State.HOLD and before in _ACTING and key.emergency
        if self.recorder is None or before is key.state:
            return
        if hard or (key.state is State.STOPPED and before is not State.INACTIVE):
            self.recorder.stopped(
                key.state.name, key.cause, self._node.now(), self._node.wall_steady()
            )

    def send_levels(self) -> None:
        """The fault levels, which are the node's heartbeat."""
        for message in self._levels.messages(self._core, self._node.now()):
            self._node.sent_level(to_nanoseconds(message.header.stamp))
            self._faults.publish(message)

    def record_bytes(self, topic: str, type_: str, data: bytes) -> None:
        """Note a serialised message."""
        if self.recorder is not None:
            self.recorder.take(topic, type_, data, self._node.now(), self._node.wall_steady())

    def poll_recorder(self) -> None:
        """Once a period: start what is due, and tell what has ended."""
        outcome = self.recorder.poll(self._node.wall_steady()) if self.recorder else None
        if outcome is None:
            return
        logger = self._node.get_logger()
        if outcome.problem:
            logger.error(outcome.problem, throttle_duration_sec=10.0)
        if outcome.folder:
            logger.info(f"recorded in {outcome.folder}")

    def close(self) -> None:
        """Write what is pending."""
        if self.recorder is not None:
            self.recorder.close()


class _Sender:
    """A publisher whose messages are recorded."""

    def __init__(self, senders: Senders, publisher: Any) -> None:
        self._senders = senders
        self.publisher = publisher
        self.topic = publisher.topic_name
        self.type = type_name(publisher.msg_type)

    def send(self, message: Any) -> None:
        data = serialize_message(message)
        self.publisher.publish(data)
        self._senders.record_bytes(self.topic, self.type, data)
