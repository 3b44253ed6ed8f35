"""A node that only pretends to be safety, in a process of its own.

    python pretended_safety.py NAMESPACE LOST LATCHES

LOST: the answers that get lost at first; -1: it serves no stop. LATCHES: 1 where its status says
STOPPED after a call, or 0. Prints "service" and each word that it hears.
"""

from __future__ import annotations

import sys

import rclpy
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_contract import topics
from vla_interfaces.msg import SafetyStatus


class Lost(Exception):
    """Raised by a service: rclpy then sends no answer."""


def main(namespace: str, lost: str, latches: str) -> None:
    left = int(lost)
    rclpy.init(args=[])
    node = rclpy.create_node("safety", namespace=namespace)
    profile = topics.qos_profile
    publisher = node.create_publisher(
        SafetyStatus, topics.SAFETY_STATUS, profile(topics.SAFETY_STATUS)
    )
    status = SafetyStatus(state=SafetyStatus.STATE_HOLD, cause="no command")

    def answer(request, response):
        nonlocal left
        print("service", flush=True)
        if int(latches):
            status.state = SafetyStatus.STATE_STOPPED
        publisher.publish(status)
        left -= 1
        if left >= 0:
            raise Lost
        response.success = True
        return response

    node.create_subscription(
        String, topics.COMMAND, lambda m: print(m.data, flush=True), profile(topics.COMMAND)
    )
    if left >= 0:
        node.create_service(Trigger, topics.STOP_SERVICE, answer)
    publisher.publish(status)
    while True:
        try:
            rclpy.spin_once(node)
        except Lost:
            continue


if __name__ == "__main__":
    main(*sys.argv[1:])
