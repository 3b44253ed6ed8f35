"""What the middleware refuses, as DDS security does, ends in one line; a stop finds another way."""

import os
import threading

import pytest
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import Graph
from vla_cli.drive import stop_command
from vla_contract import topics
from vla_contract.node_testing import Client, wait_until
from vla_interfaces.action import ExecuteCommand

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
NAMESPACE = "test_client_node"
ASKED = {
    "create_publisher": (
        lambda g: g.publisher(String, "command", "nobody"),
        "cannot publish command",
    ),
    "create_subscription": (lambda g: g.collect(String, "said", qos=1), "cannot subscribe to said"),
    "create_client": (lambda g: g.call(Trigger, "go", Trigger.Request()), "cannot call go"),
}


@pytest.fixture
def graph():
    with Graph(NAMESPACE, DOMAIN) as made:
        yield made


def refuse(monkeypatch, method):
    def refused(*arguments, **options):
        raise _rclpy.RCLError("error creating it: denied\n by permissions, at /x/src/a.cpp:12")

    monkeypatch.setattr(Node, method, refused)


@pytest.mark.parametrize("method", ASKED)
def test_what_is_refused_is_one_line(graph, monkeypatch, method):
    refuse(monkeypatch, method)
    ask, what = ASKED[method]
    with pytest.raises(CommandError) as error:
        ask(graph)
    assert str(error.value) == f"{what}: error creating it: denied by permissions"


def test_with_security_on_it_says_where_to_look(graph, monkeypatch):
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_ENCLAVE_OVERRIDE", "/vla/operator")
    refuse(monkeypatch, "create_client")
    with pytest.raises(CommandError, match="enclave /vla/operator: see docs/security.md"):
        graph.call(Trigger, "go", Trigger.Request())


def test_an_action_that_is_refused_is_one_line(graph, monkeypatch):
    monkeypatch.setattr("rclpy.action.ActionClient", lambda *a: refuse_now())
    with pytest.raises(CommandError, match="cannot call the action do: denied"):
        graph.action(ExecuteCommand, "do")


def refuse_now():
    raise _rclpy.RCLError("denied")


@pytest.fixture
def robot():
    """Serves stop and hears words, as safety and perception; what it was told."""
    client = Client(DOMAIN, NAMESPACE, name="robot")
    told = []

    def serve(request, response):
        told.append("service")
        response.success = True
        return response

    client.node.create_service(Trigger, topics.STOP_SERVICE, serve)
    qos = topics.qos_profile(topics.COMMAND)
    client.node.create_subscription(String, topics.COMMAND, lambda m: told.append(m.data), qos)
    ended = threading.Event()

    def spin():
        while not ended.is_set():
            client.spin(0.05)

    thread = threading.Thread(target=spin)
    thread.start()
    yield told
    ended.set()
    thread.join()
    client.close()


def test_a_stop_that_may_not_publish_calls_the_service(graph, robot, monkeypatch):
    refuse(monkeypatch, "create_publisher")
    assert stop_command.stop(graph) == 0
    assert robot == ["service"]


def test_a_stop_that_may_not_call_publishes_the_word(graph, robot, monkeypatch, capsys):
    refuse(monkeypatch, "create_client")
    monkeypatch.setattr(stop_command, "LONGEST", 3.0)
    assert stop_command.stop(graph) == 1
    wait_until(lambda: robot == ["stop"], 20.0)
    said = capsys.readouterr().out
    assert said.startswith("NOT LATCHED") and "cannot call stop: error creating it" in said


def test_a_stop_that_may_do_neither_says_why(graph, monkeypatch):
    refuse(monkeypatch, "create_client")
    refuse(monkeypatch, "create_publisher")
    with pytest.raises(CommandError, match="NOT LATCHED: cannot publish command: .*; cannot call"):
        stop_command.stop(graph)
