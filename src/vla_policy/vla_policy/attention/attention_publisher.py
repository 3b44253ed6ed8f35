"""Publishes where the words look, while somebody subscribes."""

from __future__ import annotations

from typing import Any

from sensor_msgs.msg import Image

from vla_contract import topics
from vla_interfaces.msg import Observation
from vla_policy.attention.attention_maps import overlay
from vla_policy.backends import BackendError
from vla_policy.inference.inference import Policy
from vla_policy.policy_conversions import (
    ConversionError,
    image_to_message,
    observation_from_message,
)

LOG_PERIOD = 5.0  # s


class AttentionPublisher:
    """Pictures of observations, on the topic `attention`. Costs nothing without a subscriber."""

    def __init__(self, node: Any, policy: Any) -> None:
        """Create the topic; raises BackendError where the policy does not tell."""
        if not isinstance(policy, Policy) or not policy.shows_attention:
            raise BackendError(
                "attention_overlay is true, but this backend does not tell where the words look; "
                "accepted: onnxruntime, torch"
            )
        self._policy = policy
        self._node = node
        self._publisher = node.create_lifecycle_publisher(
            Image, topics.ATTENTION, topics.qos_profile(topics.ATTENTION)
        )

    def show(self, observation: Observation) -> None:
        """Publish the picture of an observation where somebody looks; in the inference thread."""
        if not self._publisher.get_subscription_count():
            return
        try:
            found = self._policy.attention(observation_from_message(observation))
            if found is not None:
                self._publisher.publish(image_to_message(overlay(found), observation))
        except (ConversionError, ValueError) as error:
            self._node.get_logger().warning(
                f"no picture of the attention: {error}", throttle_duration_sec=LOG_PERIOD
            )

    def close(self) -> None:
        """Destroy the topic."""
        self._node.destroy_lifecycle_publisher(self._publisher)
