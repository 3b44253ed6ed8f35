"""`vla stop`: brakes and latches the stop, by every way that is there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from rclpy.duration import Duration
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_cli.client import options
from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import Graph
from vla_cli.client.repeated_call import RepeatedCall
from vla_contract import topics
from vla_contract.message_enums import State
from vla_interfaces.msg import SafetyStatus

STOP_WORD = "stop"
LONGEST = 10.0  # s until it gives up
ALONE = 5.0  # s after which nobody who has not been seen is waited for
PATIENCE = 1.0  # s without news


def main(arguments: list[str]) -> int:
    """0: the stop is latched; 1: it is not, whatever else was done; 2: nobody is there."""
    parser = options.client(
        "stop",
        "Brake and latch the stop (./vla reset leaves it). Ends with 0 where safety has latched "
        "it, with 1 where it has not, and with 2 where no graph is there.",
    )
    parser.add_argument("words", nargs="*", help="whatever else is typed: it stops all the same")
    chosen = parser.parse_args(arguments)
    with Graph(chosen.namespace) as graph:
        return stop(graph)


def stop(graph: Graph) -> int:
    """Say the stop word and call the service, each as soon as it can be heard, until it is latched.

    Raises:
        CommandError: nobody is there, or this process may do neither.
    """
    attempt = StopAttempt(graph)
    begin = time.monotonic()
    if not graph.wait(attempt.advance, PATIENCE):
        print("not latched yet; going on", file=sys.stderr, flush=True)
        graph.wait(attempt.advance, ALONE - PATIENCE)
        if not attempt.how and not attempt.heard() and not graph.nodes():
            raise CommandError(f"NOT LATCHED: {graph.absence()}")
        graph.wait(attempt.advance, begin + LONGEST - time.monotonic())
    print(attempt.report(), flush=True)
    return 0 if attempt.how else 1


class StopAttempt:
    """The ways to stop, gone together.

    Attributes:
        how: how the stop is known to be latched; empty while it is not.
    """

    def __init__(self, graph: Graph) -> None:
        self.how = ""
        self._name = f"{graph.namespace}/{topics.STOP_SERVICE}"
        self._topic = f"{graph.namespace}/{topics.COMMAND}"
        self._readers = 0  # of the stop word, when it was last said
        self._refusals: list[str] = []
        qos = topics.qos_profile(topics.COMMAND)
        self._publisher = self._unless_refused(
            lambda: graph.node.create_publisher(String, topics.COMMAND, qos)
        )
        self._statuses = self._unless_refused(
            lambda: graph.collect(SafetyStatus, topics.SAFETY_STATUS, keep=1)
        )
        self._service = self._unless_refused(  # last, for it takes the longest
            lambda: RepeatedCall(graph.node, Trigger, topics.STOP_SERVICE)
        )
        if self._publisher is None and self._service is None:
            raise CommandError(f"NOT LATCHED: {'; '.join(self._refusals)}")

    def _unless_refused(self, make: Callable[[], Any]) -> Any:
        """What was made; None where DDS security refuses it, which leaves the other ways."""
        try:
            return make()
        except CommandError as error:
            self._refusals.append(str(error))
            return None

    def advance(self) -> str:
        """Do what can be done by now; `how`."""
        self._say()
        response = self._service and self._service.response()
        stopped = self._statuses and self._statuses[-1].state == SafetyStatus.STATE_STOPPED
        if response is not None and response.success:
            self.how = "safety has latched it"
        elif stopped and (self._service is None or self._service.made):
            self.how = "safety's status says that it is latched"
        return self.how

    def _say(self) -> None:
        """The stop word, and again where more can hear it."""
        readers = self._publisher.get_subscription_count() if self._publisher else 0
        if self._publisher and readers > self._readers:
            self._publisher.publish(String(data=STOP_WORD))
        self._readers = readers

    def heard(self) -> bool:
        """Somebody is there who hears or says something."""
        return bool(self._readers or self._statuses or (self._service and self._service.made))

    def report(self) -> str:
        """What has happened, in one line."""
        if self.how:
            return f"stopped: {self.how}; leave the stop with: ./vla reset"
        known = [self._said(), self._safety(), *self._refusals]
        return f"NOT LATCHED within {LONGEST:g} s: {'; '.join(known)}; see ./vla status"

    def _said(self) -> str:
        if self._publisher is None or not self._readers:
            return f'nobody heard the word "{STOP_WORD}" on {self._topic}'
        if self._publisher.wait_for_all_acked(Duration(seconds=0.0)):
            return f'the word "{STOP_WORD}" reached {self._readers} readers of {self._topic}'
        return (
            f'the word "{STOP_WORD}" was sent to {self._readers} readers of {self._topic}, of '
            "which not all have acknowledged it"
        )

    def _safety(self) -> str:
        """What is known of safety and its service."""
        response = self._service and self._service.response()
        if response is not None:
            asked = f"{self._name} answered: {response.message}"
        elif self._service is None or not self._service.made:
            asked = f"{self._name} was not found"
        else:
            asked = f"{self._name} was called {self._service.made} times and gave no answer"
        if not self._statuses:
            return f"safety's status was not heard; {asked}"
        status = self._statuses[-1]
        cause = f" ({status.cause})" if status.cause else ""
        return f"safety is there and says {State.words_of(status.state)}{cause}; {asked}"
