"""A topic that may not be heard, as with DDS security, is told of and left out."""

from types import SimpleNamespace

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from vla_contract import topics
from vla_replay.record.bag_ring import Ring
from vla_replay.record.record_node import COMMANDS, TopicRecorder

PROFILE = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE
)


class Node:
    """Two topics are published in it; of "/secret" nothing may be heard."""

    def __init__(self):
        self.heard = []

    def get_namespace(self):
        return "/vla"

    def get_topic_names_and_types(self):
        return [("/secret", ["std_msgs/msg/String"]), ("/told", ["std_msgs/msg/String"])]

    def get_publishers_info_by_topic(self, name):
        return [SimpleNamespace(qos_profile=PROFILE)]

    def create_subscription(self, kind, name, *others, **options):
        if name == "/secret":
            raise RuntimeError("cannot subscribe to /secret: denied")
        self.heard.append(name)


def test_what_is_refused_is_told_once_and_the_rest_recorded(tmp_path):
    ring = Ring(tmp_path / "bag")
    recorder = TopicRecorder(Node(), ring)
    assert recorder.refresh() == [
        "not recorded: /secret: cannot subscribe to /secret: denied",
        "recording /told (std_msgs/msg/String)",
    ]
    assert recorder.refresh() == [] and not recorder.error
    ring.close()


def test_the_graphs_own_topics_are_heard_before_anybody_publishes_them(tmp_path):
    node = Node()
    TopicRecorder(node, Ring(tmp_path / "bag"))
    assert node.heard == [f"/vla/{name}" for name in topics.TYPES]
    assert {*COMMANDS, topics.EMERGENCY_STOP, topics.SAFE_ACTION} <= topics.TYPES.keys()
    few = Node()
    TopicRecorder(few, Ring(tmp_path / "bag"), ["/vla/command", "/camera/image"])
    assert few.heard == ["/vla/command"]
