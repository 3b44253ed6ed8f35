"""A topic that may not be heard, as with DDS security, is told of and left out."""

from types import SimpleNamespace

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from vla_replay.record.bag_ring import Ring
from vla_replay.record.record_node import TopicRecorder

PROFILE = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE
)


class Node:
    """Has two topics; of "/secret" nothing may be heard."""

    def get_topic_names_and_types(self):
        return [("/secret", ["std_msgs/msg/String"]), ("/told", ["std_msgs/msg/String"])]

    def get_publishers_info_by_topic(self, name):
        return [SimpleNamespace(qos_profile=PROFILE)]

    def create_subscription(self, kind, name, *others, **options):
        if name == "/secret":
            raise RuntimeError("cannot subscribe to /secret: denied")


def test_what_is_refused_is_told_once_and_the_rest_recorded(tmp_path):
    ring = Ring(tmp_path / "bag")
    recorder = TopicRecorder(Node(), ring)
    assert recorder.refresh() == [
        "not recorded: /secret: cannot subscribe to /secret: denied",
        "recording /told (std_msgs/msg/String)",
    ]
    assert recorder.refresh() == [] and not recorder.error
    ring.close()
