"""The servos' driver of an arm in joint space: takes positions, and says when they cease.

A position servo whose commands cease stays where it was told to be, so it brakes by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vla_sim.robot.arm_driver import Array, DriverCounters


class JointDriver:
    """Positions of named joints, rad, with a watchdog.

    It passes commands on as they are: limits are the safety node's task. The clock is passed in,
    s, and may start anywhere; it is monotonic.
    """

    def __init__(self, joint_names: Sequence[str], command_timeout: float) -> None:
        """command_timeout: s without a command after which it counts as stopped."""
        self._names = tuple(joint_names)
        self._timeout = command_timeout
        self.counters = DriverCounters()
        self.reset()

    def reset(self) -> None:
        """Stay where the servos are until the next command; the counters go on."""
        self._targets: Array | None = None
        self._last: float | None = None
        self._braking = False
        self.greatest_age = 0.0

    def target(self, names: Sequence[str], positions: Sequence[float], now: float) -> bool:
        """Take a position of every joint, rad; False when it is refused (and counted)."""
        if sorted(names) != sorted(self._names) or len(positions) != len(names):
            return self._refuse(
                f"joints {', '.join(names)}; accepted: each of {', '.join(self._names)} once"
            )
        if not all(math.isfinite(value) for value in positions):
            return self._refuse(f"positions {tuple(positions)}; accepted: finite numbers")
        by_name = dict(zip(names, positions, strict=True))
        self._targets = np.array([by_name[name] for name in self._names])
        self._last = now
        self._braking = False
        self.counters.commands += 1
        return True

    def _refuse(self, reason: str) -> bool:
        self.counters.refused += 1
        self.counters.last_refusal = reason
        return False

    def action(self, now: float, period: float) -> Array | None:
        """(J,) rad for the next `period`, s; None: stay."""
        if self._last is None or self._targets is None:
            return None
        age = now - self._last
        self.greatest_age = max(self.greatest_age, age)
        if age > self._timeout and not self._braking:
            self._braking = True
            self.counters.watchdog_stops += 1
        return self._targets.copy()

    @property
    def braking(self) -> bool:
        """True while commands are missing."""
        return self._braking
