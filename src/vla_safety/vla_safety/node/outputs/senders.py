"""What goes out: robot commands, SafeAction, SafetyStatus, fault levels; and what is recorded.

A message is serialised once, for the topic and for the ring of the recorder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rclpy.duration import Duration
from rclpy.serialization import serialize_message

from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.recording import type_name
from vla_contract.stamps import NANOSECONDS, to_time
from vla_interfaces.msg import Fault, SafeAction, SafetyStatus
from vla_safety.decision import Decision, Situation
from vla_safety.loop.control_clock import WallClock
from vla_safety.loop.loop_timing import LoopTiming
from vla_safety.node.graph_watch import endpoints
from vla_safety.node.outputs.robot_outputs import Output, make_outputs
from vla_safety.node.reports import FaultLevels, StatusKey, is_late, status_key, status_message
from vla_safety.node.safety_conversions import safe_action_to_message
from vla_safety.node.stop_recorder import RecorderSettings, StopRecorder
from vla_safety.watch.safety_states import ACTING, State

if TYPE_CHECKING:
    from vla_safety.node.node_ports import Entities

# Words with a figure that changes in every period are told no more often, ns.
WORDS_PERIOD = NANOSECONDS // 10


class Senders:
    """Made when the node is configured.

    Attributes:
        recorder: of stops; None where nothing is recorded.
        own_ids: of the publishers of the robot's commands.
    """

    def __init__(
        self,
        entities: Entities,
        space: ActionSpace,
        clock: WallClock,
        timing: LoopTiming,
        settings: RecorderSettings | None,
    ) -> None:
        """settings: of the recorder; None where nothing is recorded."""
        self.recorder = StopRecorder(settings) if settings is not None else None
        self._space = space
        self._clock = clock
        self._timing = timing
        self._log = entities.node.get_logger()
        self._levels = FaultLevels(entities.node.get_name())
        self._safe_actions = _Sender(self, entities.publisher(SafeAction, topics.SAFE_ACTION))
        self._statuses = _Sender(self, entities.publisher(SafetyStatus, topics.SAFETY_STATUS))
        self.faults = entities.publisher(Fault, topics.FAULT)
        self.own_ids: set[bytes] = set()
        outputs = make_outputs(space)
        self._robot = [
            (_Sender(self, self._robot_publisher(entities, output)), output)
            for output in outputs
            if not output.is_action
        ]
        self._goals = [entities.goal_sender(o, clock.steady) for o in outputs if o.is_action]
        self._key: StatusKey | None = None
        self._told = 0
        self._state = State.INACTIVE

    def _robot_publisher(self, entities: Entities, output: Output) -> Any:
        # The graph knows a new publisher of this process at once, so the new ids are its own.
        node = entities.node
        name = node.resolve_topic_name(output.topic)
        before = {endpoint.gid for endpoint in endpoints(node, name)}
        publisher = entities.publisher(output.message_type, output.topic, topics.ROBOT_COMMAND)
        own = node.get_fully_qualified_name()
        after = {endpoint.gid for endpoint in endpoints(node, name) if endpoint.node == own}
        self.own_ids |= after - before
        return publisher

    @property
    def robot_topics(self) -> dict[str, str]:
        """Types of the robot's commands by the full names of their topics."""
        return {sender.topic: sender.type for sender, _ in self._robot}

    @property
    def unserved(self) -> str:
        """Which goals do not arrive, in words; empty where all do."""
        return "; ".join(goals.unserved for goals in self._goals if goals.unserved)

    def actions(
        self, decision: Decision, tick: int, stamp: Any
    ) -> Iterator[tuple[str, Callable[[], None]]]:
        """What is to be sent of one period, each with its name: a failure of one is its own."""
        values = decision.safe.tolist()
        for sender, output in self._robot if decision.connected else ():
            yield (
                f"topic {sender.topic}",
                lambda s=sender, o=output: s.send(o.message(values, stamp)),  # type: ignore[misc]
            )
        for goals in self._goals if decision.connected else ():
            yield (
                f"action {goals.topic}",
                lambda g=goals: g.send_values(values, stamp),  # type: ignore[misc]
            )
        yield (
            "safe_action",
            lambda: self._safe_actions.send(
                safe_action_to_message(decision, self._space, tick, stamp)
            ),
        )
        yield "safety_status", lambda: self.send_status(decision)

    def send_status(self, decision: Decision, force: bool = False) -> None:
        """The status, where it has changed or must be told; a change of state is logged once."""
        key = status_key(decision)
        if not force and not self._is_news(key):
            return
        overload = self._timing.overload if is_late(decision.situation) else ""
        if self._key is None or key.state is not self._key.state:
            words = "; ".join(text for text in (key.cause, overload) if text)
            self._log.info(f"{key.state.name}" + (f": {words}" if words else ""))
        self._key, self._told = key, self._clock.steady()
        now = self._clock.now()
        message = status_message(decision, to_time(now), overload)
        own = self._levels.messages(decision.situation, now)
        message.faults = [*(f for f in own if f.level != Fault.LEVEL_OK), *message.faults]
        message.recording = self.recorder.folder if self.recorder else ""
        message.period = self._timing.period
        message.jitter_p99 = self._timing.jitter_p99
        message.duration_p99 = self._timing.duration_p99
        message.overruns = self._timing.overruns
        self._statuses.send(message)
        self._record_stop(key)

    def _is_news(self, key: StatusKey) -> bool:
        if key == self._key:
            return False
        if self._key is None or not key.differs_in_words(self._key):
            return True
        return not 0 <= self._clock.steady() - self._told < WORDS_PERIOD

    def _record_stop(self, key: StatusKey) -> None:
        before, self._state = self._state, key.state
        hard = key.state is State.HOLD and before in ACTING and key.emergency
        if self.recorder is None or before is key.state:
            return
        if hard or (key.state is State.STOPPED and before is not State.INACTIVE):
            self.recorder.stopped(key.state.name, key.cause, self._clock.now(), time.monotonic_ns())

    def levels(self, situation: Situation) -> list[Fault]:
        """The fault levels of this node, one message for each kind."""
        return self._levels.messages(situation, self._clock.now())

    def record(self, topic: str, type_: str, data: bytes) -> None:
        """Record a serialised message."""
        if self.recorder is not None:
            self.recorder.record(topic, type_, data, self._clock.now(), time.monotonic_ns())

    def wait_for_delivery(self, timeout: Duration) -> None:
        """A publisher that is destroyed takes along what it has not delivered."""
        for sender in [*(sender for sender, _ in self._robot), self._statuses]:
            sender.publisher.wait_for_all_acked(timeout)

    def poll_recorder(self) -> None:
        """Once a period: start what is due, and tell what has ended."""
        outcome = self.recorder.poll(time.monotonic_ns()) if self.recorder else None
        if outcome is None:
            return
        if outcome.problem:
            self._log.error(outcome.problem, throttle_duration_sec=10.0)
        if outcome.folder:
            self._log.info(f"recorded in {outcome.folder}")

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
        self._senders.record(self.topic, self.type, data)
