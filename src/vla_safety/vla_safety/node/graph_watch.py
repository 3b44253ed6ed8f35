"""Looks at the graph: who else publishes what only one may, and who reads what the robot is sent.

See `publishers` and `readers` for the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vla_contract import topics
from vla_contract.stamps import NANOSECONDS
from vla_safety.watch.command_readers import CommandReaders, Reader
from vla_safety.watch.other_publishers import ChunkSenders, CommandSenders, Endpoint, Mixture, Twin


class OtherPublishers:
    """What is known since `restart`. Everything is cheap where nobody else is there.

    Attributes:
        unread: what is sent and nobody reads, in words.
        commands_shared: others publish the robot's commands: not the time to begin with it.
        twin: another safety node of this name.
    """

    def __init__(self, node: Any, types: Mapping[str, str], own: Iterable[bytes], beat: float):
        """types: of the robot's commands, by full topic name.

        own: ids of this node's publishers there. beat: s between two fault levels of a safety node.
        """
        self._node = node
        self._chunk_topic = node.resolve_topic_name(topics.ACTION_CHUNK)
        self._types = dict(types)
        self._own = frozenset(own)
        self._memory = round(3.0 * beat * NANOSECONDS)
        self.restart()

    def restart(self) -> None:
        """Nobody is known yet."""
        self.unread = ""
        self.commands_shared = False
        self.twin = Twin(self._memory)
        self._readers = CommandReaders(self._types)
        self._senders = ChunkSenders()
        self._mixture = Mixture()
        self._commands = CommandSenders(self._own, self._node.get_fully_qualified_name())
        self._graph_problem = ""

    def observe_chunk(self, sequence: int, steady: int) -> None:
        """A chunk of this observation number came."""
        self._senders.heard(steady)
        self._mixture.observe(sequence, steady)

    def inspect_graph(self, steady: int) -> None:
        """Look at the graph: a few µs for each topic as long as there is one publisher."""
        count = self._node.count_publishers
        twin = self.twin.lives(steady)
        problems = [self._senders.look(self._endpoints([self._chunk_topic]), steady)]
        shared = any(count(topic) > 1 for topic in self._types)
        if shared:
            problems.append(self._commands.look(self._endpoints(self._types), twin))
        self.commands_shared = twin or (shared and bool(problems[-1]))
        self._graph_problem = "; ".join(problem for problem in problems if problem)
        self.unread = self._readers.look(
            {topic: readers(self._node, topic) for topic in self._types}
        )

    def problem(self, steady: int) -> str:
        """What is wrong now; empty where nothing is."""
        twin = "another safety node is running" if self.twin.lives(steady) else ""
        parts = (twin, self._graph_problem, self._mixture.problem(steady))
        return "; ".join(part for part in parts if part)

    def _endpoints(self, names: Iterable[str]) -> list[Endpoint]:
        return [endpoint for name in names for endpoint in endpoints(self._node, name)]


def readers(node: Any, topic: str) -> list[Reader]:
    """The subscriptions that the graph shows of a topic; topic: full name."""
    return [
        Reader(f"{info.node_namespace.rstrip('/')}/{info.node_name}", info.topic_type)
        for info in node.get_subscriptions_info_by_topic(topic)
    ]


def endpoints(node: Any, topic: str) -> list[Endpoint]:
    """The publishers that the graph shows of a topic; topic: full name."""
    return [
        Endpoint(f"{info.node_namespace.rstrip('/')}/{info.node_name}", bytes(info.endpoint_gid))
        for info in node.get_publishers_info_by_topic(topic)
    ]
