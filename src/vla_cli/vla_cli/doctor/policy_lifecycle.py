"""The policy node set aside for a while, and brought back to the state in which it was found."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from vla_cli.client.command_errors import CommandError, ignore_signals
from vla_cli.client.graph_client import Graph

POLICY = "policy"
LIMIT = 10.0  # s for a transition that is under way to end
CHANGE_TIMEOUT = 60.0  # s; to configure is to load a model
RESTORE_TIMEOUT = 120.0  # s
RETRY = 0.2  # s between two looks at the state
UNCONFIGURED, INACTIVE, ACTIVE = (
    State.PRIMARY_STATE_UNCONFIGURED,
    State.PRIMARY_STATE_INACTIVE,
    State.PRIMARY_STATE_ACTIVE,
)
NAMES = {UNCONFIGURED: "unconfigured", INACTIVE: "inactive", ACTIVE: "active"}
UP = {UNCONFIGURED: Transition.TRANSITION_CONFIGURE, INACTIVE: Transition.TRANSITION_ACTIVATE}
DOWN = {ACTIVE: Transition.TRANSITION_DEACTIVATE, INACTIVE: Transition.TRANSITION_CLEANUP}


@contextlib.contextmanager
def policy_unconfigured(graph: Graph) -> Iterator[None]:
    """Clean the policy node up for the block; however that ends, put it back as it was.

    Without a policy node there is nothing to do.

    Raises:
        CommandError: the node does not change its state; where it cannot be put back, the message
            names the state in which it is to be.
    """
    if POLICY not in graph.nodes():
        yield
        return
    found, cause = _settled_state(graph), None
    try:
        _change_state(graph, UNCONFIGURED)
        yield
    except BaseException as error:
        cause = error
        raise
    finally:
        _restore(graph, found, cause)


def _restore(graph: Graph, found: int, cause: BaseException | None) -> None:
    """Try again what fails: a node that loads its model may not answer for seconds."""
    try:
        ignore_signals()
    finally:  # a signal may have come before they were ignored
        end = time.monotonic() + RESTORE_TIMEOUT
        while (problem := _restore_problem(graph, found)) and time.monotonic() < end:
            graph.wait(lambda: False, RETRY)
    if problem:
        raise CommandError(
            f"the policy node was {NAMES[found]} and could not be brought back: {problem}; use "
            f"ros2 lifecycle set {graph.namespace}/{POLICY} configure, then activate"
            + (f"; before that: {cause}" if cause else "")
        ) from cause


def _restore_problem(graph: Graph, found: int) -> str:
    try:
        _change_state(graph, found)
    except Exception as error:  # whatever it is, the node must not stay as it is
        return str(error) or repr(error)
    return ""


def _change_state(graph: Graph, wanted: int) -> None:
    while (present := _settled_state(graph)) != wanted:
        transition = (UP if present < wanted else DOWN)[present]
        request = ChangeState.Request(transition=Transition(id=transition))
        answer = graph.call(ChangeState, f"{POLICY}/change_state", request, timeout=CHANGE_TIMEOUT)
        if not answer.success:
            raise CommandError(
                f"the policy node, {NAMES[present]}, refuses transition {transition}; see its log"
            )


def _settled_state(graph: Graph) -> int:
    """The node's primary state, once no transition is under way."""
    end = time.monotonic() + LIMIT
    while True:
        state = graph.call(GetState, f"{POLICY}/get_state", GetState.Request()).current_state
        if state.id in NAMES:
            return int(state.id)
        if state.id == State.PRIMARY_STATE_FINALIZED or time.monotonic() > end:
            raise CommandError(f"the policy node is {state.label or state.id}")
        graph.wait(lambda: False, RETRY)
