"""message_filters: the stand-in, or the real package where ROS itself is installed."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from rclpy.time import Time
from std_msgs.msg import Header

from message_filters import ApproximateTimeSynchronizer, SimpleFilter

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
