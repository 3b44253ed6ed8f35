"""The doctor's look at the topics on the network: their quality of service against the graph's."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vla_cli.doctor.doctor_findings import Finding, Level
from vla_contract import topics
from vla_contract.topics import Qos

SETTLED = 2.0  # s without news of the graph, after which it counts as known
LONGEST = 10.0  # s
OWN_NODES = ("perception", "policy", "safety", "simulator")
# Types whose topics have no fixed name → row of the table, and whether the graph reads them.
BY_TYPE = {
    "sensor_msgs/msg/Image": (topics.CAMERA, True),
    "sensor_msgs/msg/CompressedImage": (topics.CAMERA, True),
}
READ = (
    topics.JOINT_STATES,
    topics.END_EFFECTOR_POSE,
    topics.COMMAND,
    topics.COMMAND_STAMPED,
    topics.EMERGENCY_STOP,
)


@dataclass(frozen=True)
class End:
    """One publisher or subscription of another node."""

    topic: str
    type: str
    node: str
    publishes: bool
    reliable: bool
    transient_local: bool


def ends() -> list[End]:
    """Every publisher and subscription in the domain, once discovery has nothing new to tell."""
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    from vla_cli.client.graph_client import Graph

    def end(topic: str, info: Any, publishes: bool) -> End:
        profile = info.qos_profile
        return End(
            topic,
            info.topic_type,
            info.node_name,
            publishes,
            profile.reliability == ReliabilityPolicy.RELIABLE,
            profile.durability == DurabilityPolicy.TRANSIENT_LOCAL,
        )

    found = []
    with Graph() as graph:
        known, since = 0, time.monotonic()

        def settled() -> bool:
            nonlocal known, since
            counts = graph.node.count_publishers, graph.node.count_subscribers
            names = [name for name, _ in graph.node.get_topic_names_and_types()]
            if (now := sum(count(name) for count in counts for name in names)) != known:
                known, since = now, time.monotonic()
            return time.monotonic() - since > SETTLED

        graph.wait(settled, LONGEST)
        for topic, _ in graph.node.get_topic_names_and_types():
            for info in graph.node.get_publishers_info_by_topic(topic):
                found.append(end(topic, info, True))
            for info in graph.node.get_subscriptions_info_by_topic(topic):
                found.append(end(topic, info, False))
    return [item for item in found if not item.node.startswith("vla_cli_")]


def against_ours(item: End) -> str:
    """Why one of the graph's nodes would not hear a publisher; empty where it would."""
    name = item.topic.rsplit("/", 1)[-1]
    row_name, read = BY_TYPE.get(item.type, (name, name in READ))
    if not (item.publishes and read and row_name in topics.QOS) or item.node in OWN_NODES:
        return ""
    return _mismatch(item, topics.qos(row_name))


def _mismatch(offered: End, wanted: Qos | End) -> str:
    if wanted.reliable and not offered.reliable:
        return "best effort offered, reliable wanted"
    if wanted.transient_local and not offered.transient_local:
        return "volatile offered, transient local wanted"
    return ""


def _types(found: Iterable[End]) -> dict[str, str]:
    """Topics with a publisher and a subscription of different types: nothing is heard there."""
    bad = {}
    for topic in {item.topic for item in found}:
        sent = {item.type: item.node for item in found if item.topic == topic and item.publishes}
        read = {
            item.type: item.node for item in found if item.topic == topic and not item.publishes
        }
        for kind in read.keys() - sent.keys() if sent else ():
            senders = ", ".join(f"{node} sends {type_}" for type_, node in sorted(sent.items()))
            bad[f"{topic} for {read[kind]}"] = f"it reads {kind}, but {senders}"
    return bad


def judge(found: Iterable[End]) -> list[Finding]:
    """One finding for each pair that does not match, or one that all do."""
    found = list(found)
    bad: dict[str, str] = _types(found)
    for item in found:
        if reason := against_ours(item):
            bad[f"{item.topic} of {item.node}"] = reason
        for other in found:
            if item.publishes and not other.publishes and item.topic == other.topic:
                if reason := _mismatch(item, other):
                    bad[f"{item.topic} of {item.node} for {other.node}"] = reason
    remedy = (
        "the publisher's type, or its QoS, as in README.md, section Topics (for a camera: "
        "reliable: false)"
    )
    if bad:
        return [
            Finding("QoS", Level.ERROR, f"{where}: {reason}", remedy)
            for where, reason in sorted(bad.items())
        ]
    count = len({item.topic for item in found})
    text = f"{count} topics found, every pair matches" if count else "no topic found; nothing runs"
    return [Finding("QoS", Level.OK, text)]


def qos() -> list[Finding]:
    """QoS of the topics that are there now."""
    return judge(ends())
