"""A service call that is made again until it is answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rclpy.node import Node

REPEAT_PERIOD = 0.5  # s


class RepeatedCall:
    """Calls a service as soon as it is seen, and again every half second until it answers.

    A service that does not know this client's reader yet, which the client cannot see, gives up
    its response. Only for services of which a second call does no harm.
    """

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        self._client = node.create_client(kind, name)
        self._request = kind.Request()
        self._futures: list[Any] = []
        self._due = 0.0  # s, time.monotonic() of the next call

    @property
    def made(self) -> int:
        """Number of calls so far."""
        return len(self._futures)

    def response(self) -> Any:
        """The response, None as long as there is none; to be asked for while the node is spun."""
        answered = next((future for future in self._futures if future.done()), None)
        if answered is not None:
            return answered.result()
        if time.monotonic() >= self._due and self._client.service_is_ready():
            self._due = time.monotonic() + REPEAT_PERIOD
            self._futures.append(self._client.call_async(self._request))
        return None

    @property
    def first_lost(self) -> bool:
        """The first call has no answer: what answers a later one may speak of what it did."""
        return bool(self._futures) and not self._futures[0].done()

    def forget(self) -> None:
        """Ask anew: what was answered so far counts no more."""
        self._futures, self._due = [], 0.0
