"""`vla home`: moves the robot to its start pose."""

from __future__ import annotations

import math
import sys
import time

from std_srvs.srv import Trigger

from vla_cli.client import options
from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import CALL_TIMEOUT, DISCOVERY_TIMEOUT, Graph
from vla_cli.client.repeated_call import RepeatedCall
from vla_contract import topics
from vla_interfaces.msg import SafetyStatus

SETTLE_TIME = 0.5  # s in which a status that was sent is here
SILENCE = 5.0  # s without a status, of which one comes every second
ENDED = (SafetyStatus.HOME_REACHED, SafetyStatus.HOME_FAILED)


def main(arguments: list[str]) -> int:
    """0: it is there; 1: it is not, with the reason; 2: nobody serves it."""
    parser = options.client(
        "home",
        "Move the robot to its start pose (parameter home_pose of safety), within every limit. "
        "Ends with 0 where it is there, with 1 and the reason where it is not. ./vla stop, the "
        "emergency stop and a new command cancel it; Ctrl-C alone does not.",
    )
    chosen = parser.parse_args(arguments)
    with Graph(chosen.namespace) as graph:
        try:
            return go(graph)
        except KeyboardInterrupt:
            print("the robot goes on to its start pose; ./vla stop brakes it", file=sys.stderr)
            raise


def go(graph: Graph) -> int:
    """Call the service and follow the status to the end.

    Raises:
        CommandError: nobody serves it, or the status fell silent.
    """
    way = HomeFollower(graph)
    call = RepeatedCall(graph.node, Trigger, topics.HOME_SERVICE)
    name = f"{graph.namespace}/{topics.HOME_SERVICE}"
    graph.require(
        lambda: call.response() or call.made,
        DISCOVERY_TIMEOUT,
        f"nobody serves {name}; see ./vla status",
    )
    graph.require(call.response, CALL_TIMEOUT, f"{name} gave no answer in {CALL_TIMEOUT:g} s")
    response = call.response()
    way.answered()
    if not response.success:
        print(response.message)
        return 1
    while not graph.wait(lambda: way.ended is not None, 0.1):
        if way.silence > SILENCE:
            raise CommandError(f"safety's status was not heard for {SILENCE:g} s; ./vla stop")
    assert way.ended is not None, "waited for"
    print(way.ended.home_message)
    return 0 if way.ended.home_state == SafetyStatus.HOME_REACHED else 1


class HomeFollower:
    """What the status tells of the way that this process began.

    Attributes:
        ended: the status with which it did; None until then.
    """

    def __init__(self, graph: Graph) -> None:
        self.ended: SafetyStatus | None = None
        self._moving = False
        self._settled = math.inf
        self._heard = time.monotonic()
        graph.subscribe(SafetyStatus, topics.SAFETY_STATUS, self._on_status)

    def answered(self) -> None:
        """The service has answered: what safety said before that is soon here."""
        self._settled = time.monotonic() + SETTLE_TIME

    def _on_status(self, status: SafetyStatus) -> None:
        """Safety says that it moves before it answers; an end before that is an earlier way's.

        Who began to listen too late for that knows it by the time.
        """
        self._heard = time.monotonic()
        if status.home_state == SafetyStatus.HOME_MOVING:
            self._moving = True
        elif (
            (self._moving or self._heard > self._settled)
            and self.ended is None
            and status.home_state in ENDED
        ):
            self.ended = status

    @property
    def silence(self) -> float:
        """S since the last status."""
        return time.monotonic() - self._heard
