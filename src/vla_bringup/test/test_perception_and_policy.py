"""Both nodes in this process: what of an observation is handed over and what is sent."""

from __future__ import annotations

import os

import pytest
import rclpy
from launched import ROOT

from vla_bringup.perception_and_policy import make_nodes
from vla_contract import topics
from vla_contract.node.graph_node import autostart
from vla_contract.node_testing import Client, wait_until
from vla_interfaces.msg import Observation
from vla_perception.observe.observer import ObservedSet

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "63"))


@pytest.fixture
def nodes():
    file = ROOT / "config" / "action_spaces" / "mobile_base.yaml"
    words = ["--ros-args", "-p", "backend:=constant", "-p", f"action_space:={file}"]
    rclpy.init(args=words, domain_id=DOMAIN)
    made = make_nodes()
    try:
        yield made
    finally:
        for node in made:
            node.trigger_shutdown()
            node.destroy_node()
        rclpy.try_shutdown()


def test_the_policy_gets_the_observation_itself_and_nothing_is_serialised(nodes, monkeypatch):
    policy, perception = nodes
    policy.companions, perception.companions = [perception], [policy]  # as `run_together` does
    assert autostart(policy) and autostart(perception)
    received, sent = [], []
    monkeypatch.setattr(policy._worker, "submit", lambda job: received.append(job[0]))
    publisher, publish = perception._observations, perception._observations.publish
    monkeypatch.setattr(publisher, "publish", lambda m: (sent.append(m), publish(m)))
    perception.publish_observation(ObservedSet(1, {}, {}, 0.0))
    assert [type(message) for message in received] == [Observation] and sent == []
    wait_until(lambda: publisher.get_subscription_count() == 1, 60.0)  # the policy's own
    perception.publish_observation(ObservedSet(2, {}, {}, 0.0))
    assert len(received) == 2 and sent == []

    client = Client(DOMAIN)
    try:
        collected = client.collect(
            Observation, topics.OBSERVATION, topics.qos_profile(topics.OBSERVATION)
        )
        client.wait(lambda: publisher.get_subscription_count() == 2)
        perception.publish_observation(ObservedSet(3, {}, {}, 0.0))
        client.wait(lambda: collected)
    finally:
        client.close()
    assert sent == received[2:], "the same object, once"
    assert collected[0].sequence == 3
