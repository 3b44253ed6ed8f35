"""`vla reset`: leaves the latched stop."""

from __future__ import annotations

from std_srvs.srv import Trigger

from vla_cli.client import options
from vla_cli.client.graph_client import Graph
from vla_contract import topics


def main(arguments: list[str]) -> int:
    """0: left; 1: refused, with the reason."""
    chosen = options.client(
        "reset", "Leave the latched stop; the robot then holds until a new command."
    ).parse_args(arguments)
    with Graph(chosen.namespace) as graph:
        response = graph.call(Trigger, topics.RESET_SERVICE, Trigger.Request())
    print(("reset: " if response.success else "refused: ") + response.message)
    return 0 if response.success else 1
