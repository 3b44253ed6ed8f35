"""The time of a message: that of its header, or now."""

from __future__ import annotations

from typing import Any

from rclpy.clock import ROSClock
from rclpy.logging import get_logger
from rclpy.time import Time


def stamp_of(msg: Any, allow_headerless: bool, logger_name: str) -> Time | None:
    """Return a message's stamp; without a header, the ROS time now, or None with a warning."""
    if hasattr(msg, "header") and hasattr(msg.header, "stamp"):
        stamp = msg.header.stamp
        return stamp if hasattr(stamp, "nanoseconds") else Time.from_msg(stamp)
    if allow_headerless:
        return ROSClock().now()
    get_logger(logger_name).warning(
        "a message without a header stamp was dropped; "
        "'allow_headerless' would take the time of its arrival"
    )
    return None
