"""What time it is for the control loop. Free of ROS."""

from __future__ import annotations

import time
from typing import Any


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


class TickClock(WallClock):
    """Time that passes by ticks alone."""

    tick_time = 0  # ns, the stamp of the last tick

    def now(self) -> int:
        """The tick's, ns."""
        return self.tick_time

    steady = now
