"""Stamps of messages as ns or s, and back. Importable without ROS."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time

NANOSECONDS = 1_000_000_000  # in a second
# What builtin_interfaces/Time holds: int32 seconds.
_LATEST = 2**31 * NANOSECONDS - 1


def to_nanoseconds(stamp: Time) -> int:
    """Time since the epoch of the stamp's clock, ns."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def to_seconds(stamp: Time) -> float:
    """Time since the epoch of the stamp's clock, s; a float64 holds it to 0.24 µs today."""
    return float(stamp.sec) + float(stamp.nanosec) * 1e-9


def to_time(nanoseconds: int) -> Time:
    """The stamp of a time in ns, cut to what a stamp can hold (0 to 2038)."""
    from builtin_interfaces.msg import Time

    seconds, rest = divmod(min(max(nanoseconds, 0), _LATEST), NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)
