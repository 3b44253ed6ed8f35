"""A node whose refusals are one line each: DDS security refuses what is not allowed."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node

from vla_cli.client.command_errors import CommandError

_PLACE = re.compile(r", at [^ ]+:[0-9]+")  # of a source file


@contextlib.contextmanager
def refusable(what: str) -> Iterator[None]:
    """Say in one line what the middleware refuses, as DDS security does with what is not allowed.

    Raises:
        CommandError: instead of rclpy's error; begins with "cannot" and `what`.
    """
    try:
        yield
    except (_rclpy.RCLError, _rclpy.RMWError) as error:
        reason = _PLACE.sub("", " ".join(str(error).split()))
        if os.environ.get("ROS_SECURITY_ENABLE") == "true":
            enclave = os.environ.get("ROS_SECURITY_ENCLAVE_OVERRIDE", "/")
            reason += f" (DDS security is on, enclave {enclave}: see docs/security.md)"
        raise CommandError(f"cannot {what}: {reason}") from error


class ClientNode(Node):
    """A node whose refusals are CommandErrors."""

    def create_publisher(self, msg_type: Any, topic: str, *args: Any, **kwargs: Any) -> Any:
        """As Node's."""
        with refusable(f"publish {topic}"):
            return super().create_publisher(msg_type, topic, *args, **kwargs)

    def create_subscription(self, msg_type: Any, topic: str, *args: Any, **kwargs: Any) -> Any:
        """As Node's."""
        with refusable(f"subscribe to {topic}"):
            return super().create_subscription(msg_type, topic, *args, **kwargs)

    def create_client(self, srv_type: Any, srv_name: str, *args: Any, **kwargs: Any) -> Any:
        """As Node's."""
        with refusable(f"call {srv_name}"):
            return super().create_client(srv_type, srv_name, *args, **kwargs)
