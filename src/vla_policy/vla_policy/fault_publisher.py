"""The policy's fault levels on the topic `fault` and in the log."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from builtin_interfaces.msg import Time as TimeMessage

from vla_contract.message_enums import FaultKind, Level
from vla_interfaces.msg import Fault
from vla_policy.health import State

if TYPE_CHECKING:
    from rclpy.node import Node


class FaultPublisher:
    """Publishes levels with the time since when they hold; for several threads."""

    def __init__(self, node: Node, publisher: Any) -> None:
        self._node = node
        self._publisher = publisher
        self._lock = threading.Lock()
        self._known: dict[FaultKind, tuple[State, TimeMessage]] = {}

    def publish(self, states: dict[FaultKind, State], *, changed_only: bool = False) -> None:
        """Publish the levels; changed_only: those whose level or text is not the last one."""
        now = self._node.get_clock().now().to_msg()
        with self._lock:
            for kind, state in states.items():
                before, since = self._known.get(kind, (None, now))
                if changed_only and before == state:
                    continue
                if before is None or before.level != state.level:
                    since = now
                    self._log(kind, before or State(), state)
                self._known[kind] = (state, since)
                self._publisher.publish(self._message(kind, state, since, now))

    def _message(
        self, kind: FaultKind, state: State, since: TimeMessage, now: TimeMessage
    ) -> Fault:
        message = Fault(
            source=self._node.get_name(),
            kind=int(kind),
            level=int(state.level),
            message=state.text,
            since=since,
        )
        message.header.stamp = now
        return message

    def _log(self, kind: FaultKind, before: State, state: State) -> None:
        logger = self._node.get_logger()
        if state.level == Level.ERROR:
            logger.error(f"{kind.words} fault: {state.text}")
        elif state.level == Level.WARN:
            logger.warning(f"{kind.words} fault: {state.text}")
        elif before.level != Level.OK:
            logger.info(f"{kind.words} fault is over")
