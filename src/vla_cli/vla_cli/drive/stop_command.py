"""`vla stop`: brakes and latches the stop, by whatever way is there."""

from __future__ import annotations

import contextlib

from rclpy.duration import Duration
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_cli.client import options
from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import DISCOVERY_TIMEOUT, Graph
from vla_contract import topics

STOP_WORD = "stop"
ANSWER_TIMEOUT = 2.0  # s; then the stop word goes out


def main(arguments: list[str]) -> int:
    """0: safety has latched the stop; 1: only the stop word was sent; 2: nobody is there."""
    chosen = options.client("stop", "Brake and latch the stop (./vla reset leaves it).").parse_args(
        arguments
    )
    with Graph(chosen.namespace) as graph:
        return stop(graph)


def stop(graph: Graph) -> int:
    """Call the service; where it does not answer, publish the stop word and say so."""
    # Made first, so that it is matched by the time it may be needed.
    publisher = None
    with contextlib.suppress(CommandError):  # where only the service is allowed
        publisher = graph.node.create_publisher(
            String, topics.COMMAND, topics.qos_profile(topics.COMMAND)
        )
    try:
        response = graph.call(
            Trigger, topics.STOP_SERVICE, Trigger.Request(), ANSWER_TIMEOUT, ANSWER_TIMEOUT
        )
    except CommandError as error:
        if not publisher or not graph.wait(
            publisher.get_subscription_count, DISCOVERY_TIMEOUT / 10
        ):
            raise
        publisher.publish(String(data=STOP_WORD))
        publisher.wait_for_all_acked(Duration(seconds=ANSWER_TIMEOUT))
        print(f'{error}; published "{STOP_WORD}" on {graph.namespace}/{topics.COMMAND} instead')
        return 1
    print(("stopped: " if response.success else "not stopped: ") + response.message)
    return 0 if response.success else 1
