"""message_filters: the stand-in, or the real package where ROS itself is installed."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import rclpy
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import qos_profile_sensor_data
from rclpy.time import Time
from std_msgs.msg import Header, String

from message_filters import (
    ApproximateTimeSynchronizer,
    Cache,
    SimpleFilter,
    Subscriber,
    TimeSynchronizer,
)

# What ApproximateTimeSynchronizer of the real package gave for random messages: inputs, queue size,
# slop in seconds, (input, stamp in ms) in the order of arrival, and the sets of stamps that came
# out.
RECORDED = json.loads(
    (Path(__file__).parent / "data/approximate_time.json").read_text(encoding="utf-8")
)


def message(milliseconds):
    header = Header(stamp=Time(nanoseconds=milliseconds * 1_000_000).to_msg())
    return SimpleNamespace(header=header, ms=milliseconds)


def collect(synchronizer):
    sets = []
    synchronizer.registerCallback(lambda *messages: sets.append([m.ms for m in messages]))
    return sets


@pytest.mark.parametrize("case", RECORDED)
def test_approximate_time_as_recorded(case):
    inputs = [SimpleFilter() for _ in range(case["inputs"])]
    sets = collect(ApproximateTimeSynchronizer(inputs, case["queue"], case["slop"]))
    for index, stamp in case["messages"]:
        inputs[index].signalMessage(message(stamp))
    assert sets == case["sets"]


def test_callbacks_get_their_arguments_in_order():
    source, calls = SimpleFilter(), []
    assert source.registerCallback(lambda *a: calls.append(a), "x", 1) == 0
    assert source.registerCallback(lambda *a: calls.append(a)) == 1
    source.signalMessage("m")
    assert calls == [("m", "x", 1), ("m",)]


def test_exact_time_needs_equal_stamps_and_drops_the_oldest():
    left, right = SimpleFilter(), SimpleFilter()
    sets = collect(TimeSynchronizer([left, right], 2))
    for stamp in (1, 2, 3):
        left.signalMessage(message(stamp))
    for stamp in (1, 3, 2):
        right.signalMessage(message(stamp))
    assert sets == [[3, 3], [2, 2]]


def test_headerless_messages_count_only_where_allowed():
    left, right = SimpleFilter(), SimpleFilter()
    sets = []
    ApproximateTimeSynchronizer([left, right], 5, 5.0).registerCallback(lambda *m: sets.append(m))
    left.signalMessage("a")
    right.signalMessage("b")
    assert sets == []
    ApproximateTimeSynchronizer([left, right], 5, 5.0, allow_headerless=True).registerCallback(
        lambda *m: sets.append(m)
    )
    left.signalMessage("a")
    right.signalMessage("b")
    assert sets == [("a", "b")]


def test_cache():
    source = SimpleFilter()
    cache = Cache(source, 3)
    assert cache.getLast() is None
    for stamp in (1, 2, 3, 4):
        source.signalMessage(message(stamp))

    def at(ms):
        return Time(nanoseconds=ms * 1_000_000, clock_type=ClockType.ROS_TIME)

    def ms(found):
        return None if found is None else found.ms

    assert [m.ms for m in cache.getInterval(at(0), at(3))] == [2, 3]
    assert ms(cache.getElemAfterTime(at(3))) == 3
    assert ms(cache.getElemBeforeTime(at(1))) is None
    assert ms(cache.getElemBeforeTime(at(9))) == 4
    assert cache.getOldestTime().nanoseconds == 2_000_000
    assert cache.getLastestTime().nanoseconds == 4_000_000
    assert cache.getLast().ms == 4


@pytest.fixture
def context():
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


@pytest.mark.parametrize("node_type", [rclpy.node.Node, LifecycleNode])
def test_subscriber(node_type, context):
    node = node_type("filters", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    plain = Subscriber(node, String, "words")
    group = MutuallyExclusiveCallbackGroup()
    tuned = Subscriber(
        node, String, "words", qos_profile=qos_profile_sensor_data, callback_group=group
    )
    raw = Subscriber(node, String, "words", raw=True)
    got = {"plain": [], "tuned": [], "raw": []}
    plain.registerCallback(lambda m: got["plain"].append(m.data))
    tuned.registerCallback(lambda m: got["tuned"].append(m.data))
    raw.registerCallback(lambda m: got["raw"].append(m))
    publisher = rclpy.node.Node.create_publisher(node, String, "words", 10)
    for _ in range(500):
        publisher.publish(String(data="hello"))
        executor.spin_once(timeout_sec=0.02)
        if all(got.values()):
            break
    assert got["plain"][0] == got["tuned"][0] == "hello"
    assert isinstance(got["raw"][0], bytes)
    assert plain.getTopic() == "words"
    assert plain.topic_name == "/words"  # of the subscription
    assert tuned.callback_group is group
    node.destroy_node()
