"""How long a command waits for a graph: long where one may be there, shortly where none can be."""

import os

import pytest

from vla_cli.client import domains, graph_client
from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import DISCOVERY_TIMEOUT, NEWCOMER_TIMEOUT, Graph


def timeouts(monkeypatch, *, in_use, scope="LOCALHOST", appears=False, domain=None):
    """What `require` waits for, in s, in an empty domain, where nodes may appear meanwhile."""
    monkeypatch.setattr(domains, "in_use", lambda domain: in_use)
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", scope)
    monkeypatch.delenv("ROS_LOCALHOST_ONLY", raising=False)
    monkeypatch.setattr(graph_client, "use_profile", lambda: None)
    waited = []
    monkeypatch.setattr(Graph, "wait", lambda self, condition, timeout: waited.append(timeout))
    monkeypatch.setattr(Graph, "nodes", lambda self: ["safety"] if appears else [])
    with Graph("require_test", domain) as graph, pytest.raises(CommandError) as error:
        graph.require(lambda: False, DISCOVERY_TIMEOUT, "safety is silent")
    return waited, str(error.value)


def test_where_nobody_has_a_socket_nobody_is_waited_for_long(monkeypatch):
    waited, error = timeouts(monkeypatch, in_use=False)
    assert waited == [NEWCOMER_TIMEOUT]
    assert error.startswith("no VLA graph found")


def test_a_graph_that_comes_meanwhile_gets_its_time(monkeypatch):
    waited, error = timeouts(monkeypatch, in_use=False, appears=True)
    assert waited == [NEWCOMER_TIMEOUT, DISCOVERY_TIMEOUT]
    assert error == "safety is silent (nodes there: safety)"


@pytest.mark.parametrize(
    "options",
    [
        {"in_use": True},
        {"in_use": False, "scope": "SUBNET"},
        {"in_use": False, "domain": int(os.environ["ROS_DOMAIN_ID"])},  # its graph is started next
    ],
)
def test_where_somebody_may_be_the_whole_time_is_waited(monkeypatch, options):
    waited, _ = timeouts(monkeypatch, **options)
    assert waited == [DISCOVERY_TIMEOUT]
