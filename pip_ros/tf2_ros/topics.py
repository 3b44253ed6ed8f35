"""/tf and /tf_static, from and to messages."""

from __future__ import annotations

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from .buffer import Buffer

_DEPTH = 100
_AUTHORITY = "default_authority"


class TransformBroadcaster:
    """Publishes transforms that change."""

    def __init__(self, node: Node) -> None:
        self.pub_tf = node.create_publisher(TFMessage, "/tf", _DEPTH)

    def sendTransform(self, transform: TransformStamped | list[TransformStamped]) -> None:
        """Publish one transform or several."""
        transforms = transform if isinstance(transform, list) else [transform]
        self.pub_tf.publish(TFMessage(transforms=transforms))


class TransformListener:
    """Fills a buffer from both topics."""

    def __init__(self, buffer: Buffer, node: Node) -> None:
        self.buffer = buffer
        self.node = node
        kept = QoSProfile(depth=_DEPTH, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.tf_sub = node.create_subscription(TFMessage, "/tf", self.callback, _DEPTH)
        self.tf_static_sub = node.create_subscription(
            TFMessage, "/tf_static", self.static_callback, kept
        )

    def unregister(self) -> None:
        """Destroy both subscriptions."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def callback(self, data: TFMessage) -> None:
        """Store the transforms of a message of /tf."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, _AUTHORITY)

    def static_callback(self, data: TFMessage) -> None:
        """Store the transforms of a message of /tf_static."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, _AUTHORITY)
