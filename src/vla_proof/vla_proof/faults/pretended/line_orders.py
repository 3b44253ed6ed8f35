"""A node as a process that takes its orders as lines of its input."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

NodeType = TypeVar("NodeType", bound=Node)


def serve(make: Callable[[], NodeType], take: Callable[[NodeType, str], None]) -> int:
    """Spin what is made until the input ends, which ends the process in order.

    take: gets the node and each line, in a thread of its own.
    """
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = make()

    def read() -> None:
        for line in sys.stdin:
            take(node, line)
        rclpy.try_shutdown()

    threading.Thread(target=read, daemon=True).start()
    try:
        rclpy.spin(node)
    except ExternalShutdownException:
        node.destroy_node()
    return 0
