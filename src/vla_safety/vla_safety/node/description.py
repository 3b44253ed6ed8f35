"""The robot's description from its topic, which robot_state_publisher keeps for who comes later."""

from __future__ import annotations

import time
from typing import Any

from std_msgs.msg import String

from vla_contract import topics
from vla_safety.arm.arm_geometry import ArmError

TIMEOUT = 10.0  # s
_LOOK = 0.05  # s


def wait_for_description(node: Any, timeout: float = TIMEOUT) -> str:
    """The URDF that is published on `robot_description`; waits for it without spinning the node.

    Raises:
        ArmError: nothing came within the timeout, s.
    """
    qos = topics.qos_profile(topics.ROBOT_DESCRIPTION)
    subscription = node.create_subscription(String, topics.ROBOT_DESCRIPTION, _ignore, qos)
    try:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with subscription.handle:
                taken = subscription.handle.take_message(String, False)
            if taken is not None:
                return str(taken[0].data)
            time.sleep(_LOOK)
        name = node.resolve_topic_name(topics.ROBOT_DESCRIPTION)
        raise ArmError(
            f"arm_urdf is topic and nothing came on {name} within {timeout:g} s; accepted: a "
            "publisher of std_msgs/String in transient local, as robot_state_publisher"
        )
    finally:
        node.destroy_subscription(subscription)


def _ignore(message: String) -> None:
    """The message is taken by hand."""
