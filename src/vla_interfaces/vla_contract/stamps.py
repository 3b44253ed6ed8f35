"""Stamps of messages as integers of nanoseconds, and back."""

from __future__ import annotations

from builtin_interfaces.msg import Time

NANOSECONDS = 1_000_000_000
# What builtin_interfaces/Time holds: int32 seconds.
_LATEST = 2**31 * NANOSECONDS - 1


def to_nanoseconds(stamp: Time) -> int:
    """Time since the epoch of the stamp's clock, ns."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def to_time(nanoseconds: int) -> Time:
    """The stamp of a time in ns, cut to what a stamp can hold (0 to 2038)."""
    seconds, rest = divmod(min(max(nanoseconds, 0), _LATEST), NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)
