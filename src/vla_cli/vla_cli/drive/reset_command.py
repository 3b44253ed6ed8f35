"""`vla reset`: leaves the latched stop, or begins another episode of a simulator."""

from __future__ import annotations

from std_srvs.srv import Trigger

from vla_cli.client import options
from vla_cli.client.graph_client import CALL_TIMEOUT, DISCOVERY_TIMEOUT, Graph
from vla_cli.client.repeated_call import RepeatedCall
from vla_contract import topics
from vla_interfaces.srv import ResetEpisode

HOME_OFFER = "to the start pose, where one is configured: ./vla home"


def main(arguments: list[str]) -> int:
    """0: done; 1: refused, with the reason."""
    parser = options.client(
        "reset", "Leave the latched stop; the robot then holds until a new command."
    )
    parser.add_argument(
        "--episode", action="store_true", help="begin another episode of the simulator instead"
    )
    parser.add_argument("--task", help="with --episode, of this task (default: as before)")
    parser.add_argument(
        "--seed",
        type=options.at_least(0, "--seed"),
        help="with --episode, the scene of this seed (default: the next one)",
    )
    chosen = parser.parse_args(arguments)
    if not chosen.episode and (chosen.task is not None or chosen.seed is not None):
        parser.error("--task and --seed go with --episode")
    with Graph(chosen.namespace) as graph:
        return begin_episode(graph, chosen.task, chosen.seed) if chosen.episode else reset(graph)


def reset(graph: Graph) -> int:
    """Leave the latched stop."""
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


def begin_episode(graph: Graph, task: str | None, seed: int | None) -> int:
    """Let the simulator begin another episode."""
    request = ResetEpisode.Request(task=task or "", seed=-1 if seed is None else seed)
    response = graph.call(ResetEpisode, topics.RESET_EPISODE_SERVICE, request)
    if not response.success:
        print(f"refused: {response.message}")
        return 1
    print(f'{response.message}; it waits for a command: ./vla say "{response.instruction}"')
    return 0
