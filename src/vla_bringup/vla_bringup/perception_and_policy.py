"""Perception and policy in one process, which hands each observation over without serialising it.

They stay two lifecycle nodes with their own names, parameters, services and topics. The topic
`observation` is published while somebody else subscribes to it.
"""

from __future__ import annotations

from vla_contract.node.graph_node import run_together
from vla_perception.node import Perception
from vla_policy.node import PolicyNode


def make_nodes() -> list[PolicyNode | Perception]:
    """The policy first: it loads its checkpoint before perception waits for images."""
    policy = PolicyNode(handed_over=True)
    return [policy, Perception(observation_receiver=policy.accept_observation)]


def main(args: list[str] | None = None) -> int:
    """Run both nodes until SIGINT or SIGTERM."""
    return run_together(make_nodes, args)
