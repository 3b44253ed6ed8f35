"""Which recording the running graph has made of its last stop, waited for if need be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vla_cli.client.graph_client import DISCOVERY_TIMEOUT, Graph
from vla_contract import topics
from vla_contract.message_enums import State
from vla_contract.stamps import NANOSECONDS, to_nanoseconds
from vla_interfaces.msg import SafetyStatus
from vla_replay.bags.bag_files import is_bag
from vla_replay.bags.bag_reader import open_bag
from vla_replay.bags.bag_storage import BagError

STATUS = topics.TYPES[topics.SAFETY_STATUS]
STOPS = (SafetyStatus.STATE_HOLD, SafetyStatus.STATE_STOPPED)
# s after a stop in which its recording may come. What holds without braking hard is not recorded.
PATIENCE = {SafetyStatus.STATE_HOLD: 3.0, SafetyStatus.STATE_STOPPED: 10.0}
JOIN_TIMEOUT = 6.0  # s until it is no graph that uses the domain, or it is very busy


def announced_recording(graph: Graph) -> Path | None:
    """The recording of the graph's last stop; None where no graph runs, or it has made none.

    It is waited for where the graph has just stopped: what is there is of the stop before.
    """
    told = graph.collect(SafetyStatus, topics.SAFETY_STATUS, keep=1)
    if graph.wait(lambda: told or graph.nodes(), JOIN_TIMEOUT):
        graph.wait(lambda: told, DISCOVERY_TIMEOUT)
    if not told:
        return None
    if told[-1].state in STOPS and not _is_told_of(told[-1]):
        _wait_for_recording(graph, told)
    found = Path(told[-1].recording)
    return found if told[-1].recording and is_bag(found) else None


def _wait_for_recording(graph: Graph, told: list[Any]) -> None:
    """told: the newest status, which the graph goes on to tell."""
    stop = told[-1]
    line = f"{State.words_of(stop.state).upper()}: {stop.cause}"
    left = PATIENCE[stop.state] - _seconds(stop.header.stamp, stop.since)
    if left <= 0.0:
        if stop.state == SafetyStatus.STATE_STOPPED:
            print(f"it is {line}; no recording was made of that, the last one is of another stop")
        return
    print(f"waiting for the recording of this stop ({line})", flush=True)
    if not graph.wait(lambda: told[-1].recording != stop.recording, left):
        print(f"none has come in {left:.0f} s: the last one is of another stop", flush=True)


def _is_told_of(status: Any) -> bool:
    """The recording that a status names holds this very stop."""
    folder = Path(status.recording)
    if not status.recording or not is_bag(folder):
        return False
    try:
        with open_bag(folder) as bag:
            wanted = [topic.name for topic in bag.topics.values() if topic.type == STATUS]
            found = [bag.read(stored) for stored in bag.messages(wanted)]
    except BagError:
        return False
    return any(
        each and each.state == status.state and _seconds(each.since, status.since) == 0.0
        for each in found
    )


def _seconds(later: Any, earlier: Any) -> float:
    return (to_nanoseconds(later) - to_nanoseconds(earlier)) / NANOSECONDS
