"""Policy files from a running graph: what each node publishes, subscribes, requests and replies."""

from __future__ import annotations

from pathlib import Path

from vla_cli.errors import CommandError
from vla_cli.graph import DISCOVERY_TIMEOUT, Graph
from vla_cli.security_policy import Policy, rights_from_dds

SETTLED = 1.5  # s without a change of the graph


def write_policies(folder: Path, namespace: str) -> list[Path]:
    """Write NODE.policy.xml for every node of the namespace; the paths.

    Raises:
        CommandError: there is no graph, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for policy in learn(namespace):
            path = folder / f"{policy.node}.policy.xml"
            path.write_text(policy.xml(), encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise CommandError(f"cannot write policies to {folder}: {error.strerror}") from error
    return written


def learn(namespace: str, domain: int | None = None) -> list[Policy]:
    """What the nodes of the namespace use now, once discovery has settled.

    Args:
        domain: ROS domain; without one that of the environment.

    Raises:
        CommandError: there is no graph.
    """
    with Graph(namespace, domain) as graph:
        graph.require(graph.nodes, DISCOVERY_TIMEOUT, graph.absence())
        before: list[str] = []
        while (now := [policy.xml() for policy in _present(graph)]) != before:
            before = now
            graph.wait(lambda: False, SETTLED)
        return _present(graph)


def _present(graph: Graph) -> list[Policy]:
    return [_of_node(graph, name) for name in graph.nodes()]


def _of_node(graph: Graph, name: str) -> Policy:
    ends = []
    for names_and_types in (
        graph.node.get_publisher_names_and_types_by_node,
        graph.node.get_subscriber_names_and_types_by_node,
    ):
        ends.append([dds for dds, _ in names_and_types(name, graph.namespace, no_demangle=True)])
    return Policy(graph.namespace, name, rights_from_dds(*ends))
