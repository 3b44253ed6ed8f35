"""A message of a bag on its way to a replay. Free of ROS."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One message. stamp: ns, of its header, or when it was recorded where that is 0."""

    topic: str
    stamp: int
    data: bytes
