"""The executor of the graph's nodes: topics, timers, services; errors reach who spins."""

import os
import time

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_contract.executor import OneThreadExecutor

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))


@pytest.fixture(params=[0.0, 0.05])
def rig(request):
    context = Context()
    rclpy.init(args=[], context=context, domain_id=DOMAIN)
    node = Node("executed", context=context, use_global_arguments=False)
    executor = OneThreadExecutor(context=context, seldom=request.param)
    executor.add_node(node)
    yield node, executor
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown(context=context)


def spin_until(executor, condition, timeout=20.0):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "nothing came"
        executor.spin_once(timeout_sec=0.05)


def test_topics_timers_and_services_are_served(rig):
    node, executor = rig
    heard, rung = [], []
    node.create_subscription(String, "~/words", lambda message: heard.append(message.data), 10)
    words = node.create_publisher(String, "~/words", 10)
    node.create_timer(0.01, lambda: rung.append(1))

    def answer(request, response):
        response.success = True
        return response

    node.create_service(Trigger, "~/go", answer)
    client = node.create_client(Trigger, "~/go")
    spin_until(executor, lambda: client.service_is_ready() and words.get_subscription_count())
    for index in range(5):
        words.publish(String(data=str(index)))
    # While topics keep the executor busy, the service is not forgotten.
    call = client.call_async(Trigger.Request())

    def busy():
        words.publish(String(data="more"))
        return call.done()

    spin_until(executor, busy)
    spin_until(executor, lambda: len(heard) >= 5 and len(rung) >= 3)
    assert heard[:5] == list("01234") and call.result().success


def test_an_error_of_a_callback_reaches_who_spins(rig):
    node, executor = rig

    def fail():
        raise ValueError("broken")

    timer = node.create_timer(0.01, fail)
    with pytest.raises(ValueError, match="broken"):
        spin_until(executor, lambda: False)
    timer.cancel()
    rung = []
    node.create_timer(0.01, lambda: rung.append(1))
    spin_until(executor, lambda: rung)


def test_a_callback_that_waits_is_refused(rig):
    node, executor = rig

    class Never:
        def __await__(self):
            yield

    async def wait():
        await Never()

    node.create_timer(0.01, wait)
    with pytest.raises(RuntimeError, match="must not wait"):
        spin_until(executor, lambda: False)
