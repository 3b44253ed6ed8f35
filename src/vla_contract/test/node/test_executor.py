"""The executor of the graph's nodes: topics, timers, services; errors reach who spins."""

import os
import threading
import time

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.task import Future
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_contract.node.executor import CallbackError, OneThreadExecutor

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))


@pytest.fixture
def rig():
    context = Context()
    rclpy.init(args=[], context=context, domain_id=DOMAIN)
    node = Node("executed", context=context, use_global_arguments=False)
    executor = OneThreadExecutor(context=context)
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


def test_one_spin_runs_all_that_is_ready_in_the_order_of_creation(rig):
    node, executor = rig
    heard = []
    for name in ("first", "second", "third"):
        node.create_subscription(String, f"~/{name}", lambda m: heard.append(m.data), 10)
    publishers = [node.create_publisher(String, f"~/{n}", 10) for n in ("third", "first", "second")]
    spin_until(executor, lambda: all(each.get_subscription_count() for each in publishers))
    for publisher in publishers:
        publisher.publish(String(data=publisher.topic_name.rsplit("/", 1)[-1]))
    time.sleep(0.2)  # all have arrived
    for _ in range(3):  # the first ones may end for a waitable's sake
        executor.spin_once(timeout_sec=0.0)
    assert heard == ["first", "second", "third"]


def test_what_is_made_and_destroyed_between_two_spins_is_noticed(rig):
    node, executor = rig
    heard = []
    words = node.create_publisher(String, "~/words", 10)
    for turn in range(3):
        subscription = node.create_subscription(String, "~/words", heard.append, 10)
        spin_until(executor, lambda: words.get_subscription_count() == 1)
        words.publish(String(data=str(turn)))
        spin_until(executor, lambda: len(heard) == turn + 1)  # noqa: B023
        node.destroy_subscription(subscription)
        spin_until(executor, lambda: words.get_subscription_count() == 0)


def test_a_callback_may_destroy_what_is_ready_too(rig):
    node, executor = rig
    heard = []
    words = node.create_publisher(String, "~/words", 10)

    def first(message):
        heard.append("first")
        node.destroy_subscription(second)

    node.create_subscription(String, "~/words", first, 10)
    second = node.create_subscription(String, "~/words", lambda m: heard.append("second"), 10)
    spin_until(executor, lambda: words.get_subscription_count() == 2)
    words.publish(String(data="go"))
    spin_until(executor, lambda: heard)
    executor.spin_once(timeout_sec=0.1)
    assert heard == ["first"]


def test_a_destroyed_entity_that_the_node_still_lists_ends_nothing(rig):
    node, executor = rig
    timer = node.create_timer(10.0, lambda: None)
    executor.spin_once(timeout_sec=0.0)
    timer.destroy()
    executor.spin_once(timeout_sec=0.1)
    rounds, end = 0, time.monotonic() + 0.3
    while time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
        rounds += 1
    assert rounds < 30, "it waits, and does not go round and round"
    rung = []
    node.create_timer(0.01, lambda: rung.append(1))
    spin_until(executor, lambda: rung)
    node.destroy_timer(timer)


def test_a_timer_that_a_callback_cancels_does_not_ring(rig):
    node, executor = rig
    rung = []

    def first():
        rung.append("first")
        second.cancel()

    timer = node.create_timer(0.02, first)
    second = node.create_timer(0.02, lambda: rung.append("second"))
    time.sleep(0.05)
    executor.spin_once(timeout_sec=0.0)
    timer.cancel()
    executor.spin_once(timeout_sec=0.05)
    assert "second" not in rung


def test_a_guard_condition_of_another_thread_ends_the_wait(rig):
    node, executor = rig
    called = []
    guard = node.create_guard_condition(lambda: called.append(1))
    executor.spin_once(timeout_sec=0.0)
    thread = threading.Timer(0.1, guard.trigger)
    thread.start()
    start = time.monotonic()
    while not called:
        executor.spin_once()
    assert time.monotonic() - start < 5.0
    thread.join()


def test_a_service_that_waits_goes_on_when_it_may(rig):
    node, executor = rig
    permission = Future()

    async def answer(request, response):
        response.success = await permission
        return response

    node.create_service(Trigger, "~/go", answer)
    client = node.create_client(Trigger, "~/go")
    heard = []
    node.create_subscription(String, "~/words", heard.append, 10)
    words = node.create_publisher(String, "~/words", 10)
    spin_until(executor, lambda: client.service_is_ready() and words.get_subscription_count())
    call = client.call_async(Trigger.Request())
    for _ in range(20):
        executor.spin_once(timeout_sec=0.01)
    words.publish(String(data="meanwhile"))
    spin_until(executor, lambda: heard)
    assert not call.done()
    permission.set_result(True)
    spin_until(executor, call.done)
    assert call.result().success


def test_an_error_of_a_service_reaches_who_spins(rig):
    node, executor = rig

    def fail(request, response):
        raise ValueError("no service")

    node.create_service(Trigger, "~/go", fail)
    client = node.create_client(Trigger, "~/go")
    spin_until(executor, client.service_is_ready)
    client.call_async(Trigger.Request())
    with pytest.raises(ValueError, match="no service"):
        spin_until(executor, lambda: False)


def test_a_future_ends_the_spinning(rig):
    node, executor = rig
    future = Future()
    node.create_timer(0.05, lambda: future.done() or future.set_result(3))
    executor.spin_until_future_complete(future, timeout_sec=20.0)
    assert future.result() == 3
    task = executor.create_task(lambda: 4)
    executor.spin_until_future_complete(task, timeout_sec=20.0)
    assert task.result() == 4


def test_events_of_topics_are_served_while_topics_keep_it_busy(rig):
    """A reader that asks for more than the writer offers is an event, which a waitable tells."""
    node, executor = rig
    told, heard = [], []
    events = SubscriptionEventCallbacks(incompatible_qos=told.append)
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    node.create_subscription(String, "~/words", lambda m: None, 1, event_callbacks=events)
    node.create_publisher(String, "~/words", best_effort)
    node.create_subscription(String, "~/busy", heard.append, 10)
    busy = node.create_publisher(String, "~/busy", 10)

    def come():
        busy.publish(String(data="more"))
        return told

    spin_until(executor, come)


@pytest.mark.skipif(
    not hasattr(Subscription, "CallbackType"), reason="Humble's rclpy tells nothing"
)
def test_a_callback_that_asks_for_it_is_told_about_its_message(rig):
    node, executor = rig
    heard = []
    node.create_subscription(String, "~/words", lambda m, info: heard.append((m, info)), 10)
    words = node.create_publisher(String, "~/words", 10)
    spin_until(executor, words.get_subscription_count)
    words.publish(String(data="go"))
    spin_until(executor, lambda: heard)
    assert heard[0][0].data == "go" and heard[0][1]["source_timestamp"] > 0


def test_shutdown_ends_the_round(rig):
    node, executor = rig
    rung = []
    node.create_timer(0.01, lambda: (rung.append(1), executor.shutdown()))
    node.create_timer(0.01, lambda: rung.append(2))
    time.sleep(0.05)
    executor.spin_once(timeout_sec=1.0)
    executor.spin_once(timeout_sec=1.0)
    assert rung == [1]


def test_an_error_of_a_callback_reaches_who_spins(rig):
    node, executor = rig

    def fail():
        raise ValueError("broken")

    timer = node.create_timer(0.01, fail)
    with pytest.raises(CallbackError, match="a timer: ValueError: broken") as failed:
        spin_until(executor, lambda: False)
    assert isinstance(failed.value.error, ValueError)
    timer.cancel()
    rung = []
    node.create_timer(0.01, lambda: rung.append(1))
    spin_until(executor, lambda: rung)


def test_an_error_is_told_with_its_topic(rig):
    node, executor = rig

    def fail(message):
        raise ValueError(message.data)

    node.create_subscription(String, "~/words", fail, 10)
    words = node.create_publisher(String, "~/words", 10)
    spin_until(executor, words.get_subscription_count)
    words.publish(String(data="broken"))
    with pytest.raises(CallbackError, match="topic /executed/words: ValueError: broken"):
        spin_until(executor, lambda: False)


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
