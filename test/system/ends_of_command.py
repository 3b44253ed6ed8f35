"""Runs a command of vla_cli and writes what its node had on the wire when it left the graph.

    python ends_of_command.py FILE COMMAND [ARGUMENTS]

FILE: a line of JSON for every time it joined, {"publish": [DDS topic, …], "subscribe": […]}. Ends
with the command's status.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rclpy.node import Node

from vla_cli import __main__
from vla_cli.client.graph_client import Graph


def ends(node: Node) -> dict[str, list[str]]:
    own = node.get_name(), node.get_namespace()
    published = node.get_publisher_names_and_types_by_node(*own, no_demangle=True)
    subscribed = node.get_subscriber_names_and_types_by_node(*own, no_demangle=True)
    return {
        "publish": [name for name, _ in published],
        "subscribe": [name for name, _ in subscribed],
    }


def main(file: str, *command: str) -> int:
    close = Graph.close

    def write_and_close(graph: Graph) -> None:
        with Path(file).open("a") as lines:
            print(json.dumps(ends(graph.node)), file=lines)
        del graph.node.destroy_client
        close(graph)

    make = Graph._make_node

    def make_and_keep(graph: Graph) -> Node:
        node = make(graph)
        node.destroy_client = lambda client: True  # what a command destroys it has used
        return node

    Graph.close, Graph._make_node = write_and_close, make_and_keep
    return __main__.main(list(command))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
