"""What was checked, how near to each bound it came, and what broke one. Free of ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

SHARE = 1e-9  # by which a bound may be exceeded; what rounding adds to a difference comes on top


@dataclass(frozen=True)
class Broken:
    """One bound that a command broke, in the bound's unit; period: which command, from 0."""

    what: str
    dimension: str
    value: float
    bound: float
    period: int

    def __str__(self) -> str:
        return (
            f"period {self.period}: {self.what} of {self.dimension} is {self.value!r}; "
            f"accepted: {self.bound!r}"
        )


@dataclass
class Bounds:
    """Worst ratio of value to bound by limit, number of commands, and what was broken."""

    commands: int = 0
    checks: int = 0
    worst: dict[str, float] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def check(self, what: str, dimension: str, value: float, bound: float, noise: float) -> None:
        """Compare |value| with its bound; noise: what rounding may add, in the value's unit."""
        self.checks += 1
        size = abs(value)
        if not size <= bound * (1.0 + SHARE) + noise:
            self.fail(what, dimension, value, bound)
        # Where rounding is as large as the bound, the ratio tells of the rounding only.
        elif bound > 0.0 and noise <= 1e-3 * bound:
            ratio = max(0.0, size - noise) / bound
            if ratio > self.worst.get(what, 0.0):
                self.worst[what] = ratio

    def demand(self, what: str, holds: bool, value: float = math.nan, bound: float = 0.0) -> None:
        """Something that holds or not."""
        self.checks += 1
        if not holds:
            self.fail(what, "", value, bound)

    def fail(self, what: str, dimension: str, value: float, bound: float) -> None:
        """Note a broken bound."""
        self.broken.append(Broken(what, dimension, value, bound, self.commands))

    def add(self, other: Bounds) -> None:
        """Take in what was found elsewhere."""
        self.commands += other.commands
        self.checks += other.checks
        self.broken += other.broken
        for what, ratio in other.worst.items():
            self.worst[what] = max(ratio, self.worst.get(what, 0.0))
