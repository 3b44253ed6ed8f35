"""What time it is for the control loop. Free of ROS."""

from __future__ import annotations

import time
from typing import Any, Protocol


class ControlClock(Protocol):
    """The node clock, and one that never jumps; both in ns."""

    def now(self) -> int:
        """Node clock, ns."""

    def steady(self) -> int:
        """A clock that never jumps, ns."""


class WallClock:
    """Time that passes by itself."""

    def __init__(self, node_clock: Any) -> None:
        """node_clock: an rclpy clock."""
        self._node_clock = node_clock

    def now(self) -> int:
        """Node clock, ns."""
        return int(self._node_clock.now().nanoseconds)

    def steady(self) -> int:
        """A clock that never jumps, ns."""
        return time.monotonic_ns()


class TickClock:
    """The time of the last tick, ns; it passes in no other way."""

    def __init__(self) -> None:
        self.tick_time = 0

    def now(self) -> int:
        """The tick's stamp, ns."""
        return self.tick_time

    steady = now
