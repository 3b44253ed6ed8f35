"""The arm's driver: takes velocity commands, and brakes by itself when they cease.

A dead safety node cannot brake. Real velocity drivers therefore have a watchdog of their own, and
so has this one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

BASE_FRAME = "base_link"


@dataclass
class DriverCounters:
    """What the driver has seen since it started.

    refused: commands with NaN, infinity or in another frame. watchdog_stops: how often it began to
    brake by itself.
    """

    commands: int = 0
    efforts: int = 0
    refused: int = 0
    watchdog_stops: int = 0
    last_refusal: str = ""


class Driver:
    """Velocity of the end effector in base_link and effort of the gripper, with a watchdog.

    It passes commands on as they are: limits are the safety node's task. The clock is passed in,
    s, and may start anywhere; it is monotonic.
    """

    def __init__(self, command_timeout: float, braking_deceleration: float) -> None:
        """Take the time without a twist after which it brakes, s, and how hard, m/s^2."""
        self._timeout = command_timeout
        self._deceleration = braking_deceleration
        self.counters = DriverCounters()
        self.reset()

    def reset(self) -> None:
        """At rest, with an idle gripper, until the next command; the counters go on."""
        self._velocity: Array = np.zeros(3)
        self._effort = 0.0
        self._last: float | None = None
        self._braking = False
        self.greatest_age = 0.0

    def twist(self, linear: Sequence[float], frame: str, now: float) -> bool:
        """Take a velocity, m/s, (3,); False when it is refused (and counted)."""
        if frame not in ("", BASE_FRAME):
            return self._refuse(f"twist in frame {frame!r}; accepted: {BASE_FRAME}")
        if not all(math.isfinite(value) for value in linear):
            return self._refuse(f"twist {tuple(linear)}; accepted: finite numbers")
        self._velocity = np.array(linear, dtype=np.float64)
        self._last = now
        self._braking = False
        self.counters.commands += 1
        return True

    def effort(self, value: float) -> bool:
        """Take a gripper effort, -1 to 1; False when it is refused. It holds until the next."""
        if not math.isfinite(value):
            return self._refuse(f"gripper effort {value}; accepted: a finite number")
        self._effort = value
        self.counters.efforts += 1
        return True

    def _refuse(self, reason: str) -> bool:
        self.counters.refused += 1
        self.counters.last_refusal = reason
        return False

    def output(self, now: float, period: float) -> tuple[Array, float]:
        """Velocity, (3,) m/s, and effort for the next `period`, s."""
        if self._last is None:
            return np.zeros(3), self._effort
        age = now - self._last
        self.greatest_age = max(self.greatest_age, age)
        if age > self._timeout:
            self._brake(period)
        return self._velocity.copy(), self._effort

    def action(self, now: float, period: float) -> Array:
        """(4,) velocity and effort for the next `period`, s."""
        return np.append(*self.output(now, period))

    def _brake(self, period: float) -> None:
        if not self._braking:
            self._braking = True
            # An arm that already stands still has nothing to complain of.
            self.counters.watchdog_stops += bool(self._velocity.any())
        speed = float(np.linalg.norm(self._velocity))
        slower = speed - self._deceleration * period
        self._velocity = self._velocity * (slower / speed) if slower > 0.0 else np.zeros(3)

    @property
    def braking(self) -> bool:
        """True while commands are missing."""
        return self._braking
