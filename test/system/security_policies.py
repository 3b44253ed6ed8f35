"""What policy files of SROS 2 allow, as names on the wire, as sros2's permissions.xsl has them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

VERSION = "0.2.0"
DISCOVERY = "ros_discovery_info"  # every process publishes and reads the graph there
ACTION_SERVICES = ("cancel_goal", "get_result", "send_goal")
ACTION_TOPICS = ("feedback", "status")


@dataclass(frozen=True)
class DdsTopics:
    """Names on the wire that a participant may publish and subscribe."""

    publish: frozenset[str]
    subscribe: frozenset[str]


@dataclass
class Rights:
    """What a node may do; full ROS names ("/vla/action_chunk"), by the policy's attributes."""

    publish: set[str] = field(default_factory=set)
    subscribe: set[str] = field(default_factory=set)
    reply: set[str] = field(default_factory=set)
    request: set[str] = field(default_factory=set)
    execute: set[str] = field(default_factory=set)
    call: set[str] = field(default_factory=set)

    def dds_topics(self) -> DdsTopics:
        """The same on the wire, the graph's own discovery topic included."""
        served = self.reply | _parts(self.execute, ACTION_SERVICES)
        called = self.request | _parts(self.call, ACTION_SERVICES)
        publish = {f"rt{name}" for name in self.publish | _parts(self.execute, ACTION_TOPICS)}
        subscribe = {f"rt{name}" for name in self.subscribe | _parts(self.call, ACTION_TOPICS)}
        publish |= {f"rr{name}Reply" for name in served} | {f"rq{name}Request" for name in called}
        subscribe |= {f"rq{name}Request" for name in served} | {f"rr{name}Reply" for name in called}
        return DdsTopics(frozenset(publish | {DISCOVERY}), frozenset(subscribe | {DISCOVERY}))


def _parts(actions: Iterable[str], parts: Iterable[str]) -> set[str]:
    return {f"{action}/_action/{part}" for action in actions for part in parts}


def read_policies(folder: Path) -> dict[str, Rights]:
    """Node → its rights; every file holds one enclave with one node of the enclave's name."""
    policies = {}
    for path in sorted(folder.glob("*.policy.xml")):
        root = ElementTree.parse(path).getroot()
        assert (root.tag, root.get("version")) == ("policy", VERSION), path
        (enclave,) = root.findall("enclaves/enclave")
        (profile,) = enclave.findall("profiles/profile")
        namespace, node = profile.attrib["ns"], profile.attrib["node"]
        assert path.name == f"{node}.policy.xml" and enclave.get("path") == f"{namespace}/{node}"
        policies[node] = _rights(profile, namespace, node)
    return policies


def _rights(profile: ElementTree.Element, namespace: str, node: str) -> Rights:
    rights = Rights()
    for group in profile:
        ((attribute, value),) = group.attrib.items()
        assert value == "ALLOW", "what is not allowed is denied: sros2's default"
        for element in group:
            assert element.tag == group.tag[:-1] and element.text
            name = element.text.strip()
            if name.startswith("~/"):
                name = f"{namespace}/{node}{name[1:]}"
            getattr(rights, attribute).add(name if name.startswith("/") else f"{namespace}/{name}")
    return rights
