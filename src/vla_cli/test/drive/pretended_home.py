"""A node that only pretends to be safety, whose robot goes home, in a process of its own.

    python pretended_home.py NAMESPACE ENDING

ENDING: reached, failed or refused. Its status says that an earlier way was reached.
"""

from __future__ import annotations

import sys

import rclpy
from std_srvs.srv import Trigger

from vla_contract import topics
from vla_interfaces.msg import SafetyStatus

ENDS = {
    "reached": (SafetyStatus.HOME_REACHED, "at the start pose"),
    "failed": (SafetyStatus.HOME_FAILED, "not at the start pose: blocked by a post"),
}


def main(namespace: str, ending: str) -> None:
    rclpy.init(args=[])
    node = rclpy.create_node("safety", namespace=namespace)
    qos = topics.qos_profile(topics.SAFETY_STATUS)
    publisher = node.create_publisher(SafetyStatus, topics.SAFETY_STATUS, qos)
    status = SafetyStatus(home_state=SafetyStatus.HOME_REACHED, home_message="of an earlier way")

    def answer(request, response):
        if ending == "refused":
            response.message = "refused: no start pose"
            return response
        status.home_state, status.home_message = SafetyStatus.HOME_MOVING, "moving"
        publisher.publish(status)
        response.success = True
        return response

    def later():
        if status.home_state == SafetyStatus.HOME_MOVING:
            status.home_state, status.home_message = ENDS[ending]
        publisher.publish(status)

    node.create_service(Trigger, topics.HOME_SERVICE, answer)
    node.create_timer(0.3, later)
    rclpy.spin(node)


if __name__ == "__main__":
    main(*sys.argv[1:])
