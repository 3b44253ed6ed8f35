"""The policy's fault levels on the topic `fault` and in the log."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from builtin_interfaces.msg import Time as TimeMessage

from vla_interfaces.msg import Fault as FaultMessage
from vla_policy.health import Fault, Level, State

if TYPE_CHECKING:
    from rclpy.node import Node

_KINDS = {
    Fault.LANGUAGE: FaultMessage.KIND_LANGUAGE,
    Fault.ACTION: FaultMessage.KIND_ACTION,
    Fault.COMMUNICATION: FaultMessage.KIND_COMMUNICATION,
}


class FaultPublisher:
    """Publishes levels with the time since when they hold; for several threads."""

    def __init__(self, node: Node, publisher: Any) -> None:
        self._node = node
        self._publisher = publisher
        self._lock = threading.Lock()
        self._known: dict[Fault, tuple[State, TimeMessage]] = {}

    def publish(self, states: dict[Fault, State], *, changed_only: bool = False) -> None:
        """Publish the levels; changed_only: those whose level or text is not the last one."""
        now = self._node.get_clock().now().to_msg()
        with self._lock:
            for fault, state in states.items():
                before, since = self._known.get(fault, (None, now))
                if changed_only and before == state:
                    continue
                if before is None or before.level != state.level:
                    since = now
                    self._log(fault, before or State(), state)
                self._known[fault] = (state, since)
                self._publisher.publish(self._message(fault, state, since, now))

    def _message(
        self, fault: Fault, state: State, since: TimeMessage, now: TimeMessage
    ) -> FaultMessage:
        message = FaultMessage(
            source=self._node.get_name(),
            kind=_KINDS[fault],
            level=int(state.level),
            message=state.text,
            since=since,
        )
        message.header.stamp = now
        return message

    def _log(self, fault: Fault, before: State, state: State) -> None:
        logger = self._node.get_logger()
        if state.level == Level.ERROR:
            logger.error(f"{fault.value} fault: {state.text}")
        elif state.level == Level.WARN:
            logger.warning(f"{fault.value} fault: {state.text}")
        elif before.level != Level.OK:
            logger.info(f"{fault.value} fault is over")
