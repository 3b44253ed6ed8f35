"""`vla reset`: leaves the latched stop."""

from __future__ import annotations

from std_srvs.srv import Trigger

from vla_cli.client import options
from vla_cli.client.graph_client import CALL_TIMEOUT, DISCOVERY_TIMEOUT, Graph
from vla_cli.client.repeated_call import RepeatedCall
from vla_contract import topics

HOME_OFFER = "to the start pose, where one is configured: ./vla home"


def main(arguments: list[str]) -> int:
    """0: left; 1: refused, with the reason."""
    chosen = options.client(
        "reset", "Leave the latched stop; the robot then holds until a new command."
    ).parse_args(arguments)
    with Graph(chosen.namespace) as graph:
        call = RepeatedCall(graph.node, Trigger, topics.RESET_SERVICE)
        name = f"{graph.namespace}/{topics.RESET_SERVICE}"
        graph.require(
            lambda: call.response() or call.made,
            DISCOVERY_TIMEOUT,
            f"nobody serves {name}; see ./vla status",
        )
        graph.require(call.response, CALL_TIMEOUT, f"{name} gave no answer in {CALL_TIMEOUT:g} s")
        response = call.response()
    if response.success and call.first_lost:
        print("reset: it is not stopped any more; the answer to the first call was lost")
    else:
        print(response.message if response.success else f"refused: {response.message}")
    if response.success:
        print(HOME_OFFER)
    return 0 if response.success else 1
