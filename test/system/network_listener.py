"""What a machine can see of the graph: prints one line of JSON a second.

python network_listener.py DOMAIN. Of {"nodes", "topics", "status", "control"}, the last two are how
many messages came of the graph's safety_status and of the control topic.
"""

import json
import sys
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from vla_interfaces.msg import SafetyStatus

CONTROL = "/network_control"


def main(domain: int) -> None:
    """Listen until it is killed."""
    rclpy.init(domain_id=domain)
    node = rclpy.create_node("network_listener")
    counts = {"status": 0, "control": 0}

    def count(name):
        counts[name] += 1

    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(SafetyStatus, "/vla/safety_status", lambda _: count("status"), latched)
    node.create_subscription(String, CONTROL, lambda _: count("control"), 10)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    said = 0.0
    while True:
        executor.spin_once(timeout_sec=0.1)
        if time.monotonic() - said > 1.0:
            said = time.monotonic()
            nodes = [name for name in node.get_node_names() if name != node.get_name()]
            topics = [
                name
                for name, _ in node.get_topic_names_and_types()
                if node.count_publishers(name) and name.startswith(("/vla", CONTROL))
            ]
            print(json.dumps({"nodes": nodes, "topics": topics, **counts}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
