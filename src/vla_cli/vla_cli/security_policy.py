"""Who may publish, subscribe, request and reply what: sros2 policy files ↔ DDS topic names.

The files are in sros2's policy format (version 0.2.0), so that `ros2 security` reads them too. One
file holds one enclave with one node. Names are relative to the node's namespace where they can be.
Free of ROS.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vla_cli.errors import CommandError

VERSION = "0.2.0"
DISCOVERY = "ros_discovery_info"  # every process publishes and reads the graph there
ACTION_SERVICES = ("cancel_goal", "get_result", "send_goal")
ACTION_TOPICS = ("feedback", "status")
# (element, attribute) → field of Rights.
RIGHTS = {
    ("topics", "publish"): "publish",
    ("topics", "subscribe"): "subscribe",
    ("services", "reply"): "reply",
    ("services", "request"): "request",
    ("actions", "execute"): "execute",
    ("actions", "call"): "call",
}


@dataclass(frozen=True)
class DdsTopics:
    """Names on the wire that a participant may publish and subscribe."""

    publish: frozenset[str]
    subscribe: frozenset[str]


@dataclass
class Rights:
    """What a node may do; full ROS names ("/vla/action_chunk")."""

    publish: set[str] = field(default_factory=set)
    subscribe: set[str] = field(default_factory=set)
    reply: set[str] = field(default_factory=set)
    request: set[str] = field(default_factory=set)
    execute: set[str] = field(default_factory=set)
    call: set[str] = field(default_factory=set)

    def dds_topics(self) -> DdsTopics:
        """The same on the wire, the graph's own discovery topic included."""
        publish = {f"rt{name}" for name in self.publish} | {DISCOVERY}
        subscribe = {f"rt{name}" for name in self.subscribe} | {DISCOVERY}
        for served, replies in (
            ((self.reply, self.execute), True),
            ((self.request, self.call), False),
        ):
            names = set(served[0]) | {
                f"{action}/_action/{what}" for action in served[1] for what in ACTION_SERVICES
            }
            requests = {f"rq{name}Request" for name in names}
            answers = {f"rr{name}Reply" for name in names}
            publish |= answers if replies else requests
            subscribe |= requests if replies else answers
        publish |= _action_topics(self.execute)
        subscribe |= _action_topics(self.call)
        return DdsTopics(frozenset(publish), frozenset(subscribe))


def _action_topics(actions: Iterable[str]) -> set[str]:
    return {f"rt{action}/_action/{what}" for action in actions for what in ACTION_TOPICS}


def rights_from_dds(publish: Iterable[str], subscribe: Iterable[str]) -> Rights:
    """The rights that a node uses, from what it has on the wire; what is not ROS's is left out."""
    rights = Rights()
    for names, topic, request, reply in (
        (publish, rights.publish, rights.request, rights.reply),
        (subscribe, rights.subscribe, rights.reply, rights.request),
    ):
        for name in names:
            if name.startswith("rt/"):
                topic.add(name[2:])
            elif name.startswith("rq/"):
                request.add(name[2:].removesuffix("Request"))
            elif name.startswith("rr/"):
                reply.add(name[2:].removesuffix("Reply"))
    _gather_actions(rights.reply, rights.publish, rights.execute)
    _gather_actions(rights.request, rights.subscribe, rights.call)
    return rights


def _gather_actions(services: set[str], topics: set[str], actions: set[str]) -> None:
    """Move the parts of actions out of services and topics."""
    for names in (services, topics):
        parts = {name for name in names if "/_action/" in name}
        actions |= {name.partition("/_action/")[0] for name in parts}
        names -= parts


@dataclass(frozen=True)
class Policy:
    """One node, its enclave and its rights."""

    namespace: str  # "/vla"
    node: str
    rights: Rights

    @property
    def enclave(self) -> str:
        """Path of the enclave, e.g. "/vla/safety"."""
        return f"{self.namespace.rstrip('/')}/{self.node}"

    def full(self, name: str) -> str:
        """A name of the file as a full one."""
        if name.startswith("/"):
            return name
        if name.startswith("~/"):
            return f"{self.enclave}{name[1:]}"
        return f"{self.namespace.rstrip('/')}/{name}"

    def short(self, name: str) -> str:
        """A full name as it stands in the file."""
        base = self.namespace.rstrip("/") + "/"
        if name.startswith(f"{self.enclave}/"):
            return "~" + name[len(self.enclave) :]
        return name[len(base) :] if name.startswith(base) else name

    def xml(self) -> str:
        """The policy file."""
        root = ElementTree.Element("policy", version=VERSION)
        enclaves = ElementTree.SubElement(root, "enclaves")
        enclave = ElementTree.SubElement(enclaves, "enclave", path=self.enclave)
        profiles = ElementTree.SubElement(enclave, "profiles")
        profile = ElementTree.SubElement(profiles, "profile", ns=self.namespace, node=self.node)
        for (element, attribute), right in RIGHTS.items():
            names = getattr(self.rights, right)
            if names:
                group = ElementTree.SubElement(profile, element, {attribute: "ALLOW"})
                for name in sorted(self.short(name) for name in names):
                    ElementTree.SubElement(group, element[:-1]).text = name
        ElementTree.indent(root)
        head = '<?xml version="1.0" encoding="UTF-8"?>\n'
        return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def load(path: Path, namespace: str | None = None) -> Policy:
    """Read a policy file; with a namespace its relative names are put there.

    Raises:
        CommandError: it cannot be read, or holds what this format or this project has not.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise CommandError(f"policy {path}: {getattr(error, 'strerror', None) or error}") from error
    if root.tag != "policy" or root.get("version") != VERSION:
        raise CommandError(
            f"policy {path}: <{root.tag} version={root.get('version')!r}>; accepted: "
            f'<policy version="{VERSION}">'
        )
    profiles = root.findall("enclaves/enclave/profiles/profile")
    if len(profiles) != 1:
        raise CommandError(f"policy {path} has {len(profiles)} profiles; accepted: one")
    own = profiles[0]
    node = own.get("node", "")
    expected = f"{own.get('ns', '').rstrip('/')}/{node}"
    for enclave in root.iter("enclave"):
        if not node or enclave.get("path") != expected:
            raise CommandError(
                f"policy {path}: enclave {enclave.get('path')!r} is not the full name of its node"
            )
    policy = Policy(namespace or str(own.get("ns")), node, Rights())
    for right, name in _rules(own, path):
        getattr(policy.rights, right).add(policy.full(name))
    return policy


def _rules(profile: ElementTree.Element, path: Path) -> Iterator[tuple[str, str]]:
    for group in profile:
        for attribute, value in group.attrib.items():
            right = RIGHTS.get((group.tag, attribute))
            if right is None or value != "ALLOW":
                raise CommandError(
                    f"policy {path}: <{group.tag} {attribute}={value!r}>; accepted: ALLOW of "
                    + ", ".join(sorted(attribute for _, attribute in RIGHTS))
                )
            for element in group:
                yield right, (element.text or "").strip()
