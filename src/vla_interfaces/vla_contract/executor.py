"""A single-threaded executor that waits once for what is ready, and not once more for each of it.

rclpy's executor wakes itself twice for every callback, for other threads that may spin it too: the
next wait ends at once with nothing to do, and with the many entities of a node each wait costs a
third of a millisecond of Python. With one thread there is nobody to wake.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.service import Service
from rclpy.waitable import Waitable

_SELDOM = (Service, Waitable)


class _Handler:
    """Takes and runs one callback; to an executor what rclpy's Task is."""

    def __init__(self, take: Callable[[Any], Any], entity: Any) -> None:
        self._take = take
        self._entity = entity
        self._error: Exception | None = None

    def __call__(self) -> None:
        """Run it to its end."""
        try:
            execute = self._take(self._entity)
            if execute is not None:
                execute().send(None)
                raise RuntimeError("a callback of a topic or a timer must not wait")
        except StopIteration:
            pass
        except Exception as error:
            self._error = error

    def exception(self) -> Exception | None:
        """What the callback raised."""
        return self._error

    def result(self) -> None:
        """Nothing; for the caller's sake."""


class OneThreadExecutor(SingleThreadedExecutor):
    """For nodes that only this thread spins, and whose callbacks are plain functions.

    seldom: services and actions are looked at after this time at the earliest, s, or when a timer
    or a topic has something then; 0: in every wait. They are half of what a wait costs.
    """

    def __init__(self, *, context: Context | None = None, seldom: float = 0.0) -> None:
        super().__init__(context=context)
        self.seldom = seldom
        self._topics_only = False
        self._looked = 0.0  # s, time.monotonic() of the last wait for everything

    def _make_handler(self, entity: Any, node: Any, *take: Any) -> Any:
        # Services and actions keep rclpy's way, since theirs may wait. So does Humble, where
        # taking and running are two functions.
        if len(take) == 1 and take[0] in (self._take_subscription, self._take_timer):
            return _Handler(take[0], entity)
        return super()._make_handler(entity, node, *take)

    def _wait_for_ready_callbacks(self, *args: Any, **kwargs: Any) -> Any:
        now = time.monotonic()
        self._topics_only = now < self._looked + self.seldom
        if not self._topics_only:
            self._looked = now
        return super()._wait_for_ready_callbacks(*args, **kwargs)

    def can_execute(self, entity: Any) -> bool:
        """Whether to wait for it, as rclpy asks."""
        if self._topics_only and isinstance(entity, _SELDOM):
            return False
        return bool(super().can_execute(entity))
