"""A service call that is made again until it is answered."""

from rclpy.task import Future
from std_srvs.srv import Trigger

from vla_cli.client.repeated_call import RepeatedCall


class Client:
    def __init__(self):
        self.futures = []

    def service_is_ready(self):
        return True

    def call_async(self, request):
        self.futures.append(Future())
        return self.futures[-1]


class Node:
    def __init__(self):
        self.client = Client()

    def create_client(self, kind, name):
        return self.client


def called_twice():
    node = Node()
    call = RepeatedCall(node, Trigger, "reset")
    for _ in range(2):
        call._due = 0.0
        assert call.response() is None
    return call, node.client.futures


def test_the_answer_to_the_first_call_counts():
    call, (first, second) = called_twice()
    second.set_result(Trigger.Response(message="nothing to reset"))
    first.set_result(Trigger.Response(message="reset"))
    assert call.response().message == "reset" and not call.first_lost


def test_where_the_first_answer_is_lost_it_is_told():
    call, (_, second) = called_twice()
    second.set_result(Trigger.Response(message="nothing to reset"))
    assert call.response().message == "nothing to reset" and call.first_lost
