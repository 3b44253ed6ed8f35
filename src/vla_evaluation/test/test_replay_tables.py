"""A recording of the graph's topics gives timing, smoothness, seams and what limits changed."""

import json
import math

import pytest
from rclpy.serialization import serialize_message
from std_msgs.msg import String

from vla_contract.recording import BagWriter
from vla_contract.stamps import to_time
from vla_evaluation import evaluation_kinds, replay_tables
from vla_evaluation.metric_errors import EvaluationError
from vla_interfaces.msg import ActionChunk, SafeAction

MILLISECOND = 10**6


def record(folder, chunks=2, actions=5):
    with BagWriter(folder) as bag:
        bag.add_topic("/vla/action_chunk", "vla_interfaces/msg/ActionChunk")
        bag.add_topic("/vla/safe_action", "vla_interfaces/msg/SafeAction")
        for i in range(chunks):
            message = ActionChunk(
                observation_stamp=to_time(1000 * MILLISECOND + i * 40 * MILLISECOND),
                dimension_names=["x"],
                actions=[1.0, 2.0, 3.0, 4.0],
                period=0.02,
                inference_time=0.005,
            )
            stamp = 1010 * MILLISECOND + i * 40 * MILLISECOND
            message.header.stamp = to_time(stamp)
            bag.write("/vla/action_chunk", serialize_message(message), stamp)
        for i in range(actions):
            stamp = 1012 * MILLISECOND + i * 20 * MILLISECOND
            message = SafeAction(
                tick=i + 1,
                period=0.02,
                dimension_names=["x"],
                requested=[math.nan if i == 0 else 1.0],
                safe=[0.5],
                observation_age=math.nan if i == 0 else 0.03,
            )
            message.header.stamp = to_time(stamp)
            bag.write("/vla/safe_action", serialize_message(message), stamp)
    return folder


def values(source):
    return {
        table.kind: evaluation_kinds.evaluate(
            table.kind, table.records, table.options, table.source
        ).values
        for table in replay_tables.tables(source)
    }


def test_a_replay_is_measured(tmp_path):
    result = values(record(tmp_path / "bag"))
    assert result["latency"]["image to chunk"]["p50"] == pytest.approx(0.01)
    assert result["latency"]["model forward"]["mean"] == pytest.approx(0.005)
    assert result["latency"]["image to command"]["count"] == 4
    assert result["jitter"]["control"]["maximum"] == pytest.approx(0.0, abs=1e-6)
    assert result["action"]["mae"] == {"x": 0.5}
    # The second chunk takes over 50 ms after the first one began: 3.5 against 1.5.
    assert result["seams"]["jump_max"] == {"x": pytest.approx(2.0)}
    assert result["smoothness"]["jerk_max"] == 0.0


def test_an_mcap_file_and_a_folder_around_it_are_the_same(tmp_path):
    bag = record(tmp_path / "actions.mcap")
    # As texts: what is no number does not equal itself.
    assert repr(values(bag)) == repr(values(tmp_path)) == repr(values(next(bag.glob("*.mcap"))))


def test_lock_step_takes_what_was_measured_and_no_difference_of_stamps(tmp_path):
    record(tmp_path / "actions.mcap")
    document = {
        "format": 1,
        "mode": "as fast as possible (lock-step)",
        "dimensions": [],
        "commands": [],
        "latency_ms": {"image to chunk": {"p50": 9.0, "p99": 14.0}, "model": {}},
    }
    path = tmp_path / "result.json"
    path.write_text(json.dumps(document))
    result = values(tmp_path)
    assert "image to chunk" not in result["latency"] and "model forward" in result["latency"]
    measured = {"p50": pytest.approx(0.009), "p99": pytest.approx(0.014)}
    assert result["hops"] == {"image to chunk": measured}
    units = [{"name": "x", "unit": "rad/s", "low": -1.0, "high": 1.0}]
    path.write_text(json.dumps({**document, "dimensions": units}))
    told = {table.kind: table.options for table in replay_tables.tables(tmp_path)}
    assert told["action"]["units"] == told["seams"]["units"] == {"x": "rad/s"}
    path.write_text(json.dumps({**document, "mode": "rate 1"}))
    assert values(tmp_path)["latency"]["image to chunk"]["p50"] == pytest.approx(0.01)
    path.write_text("{}")
    with pytest.raises(EvaluationError, match=r"result\.json"):
        replay_tables.tables(tmp_path)


def test_without_chunks_only_what_is_there_is_measured(tmp_path):
    result = values(record(tmp_path / "bag", chunks=0, actions=2))
    assert set(result) == {"jitter", "latency", "action"}


@pytest.mark.parametrize(
    ("ticks", "lengths"),
    [
        ([1, 2, 3], [3]),
        ([1, 2], []),
        ([1, 2, 3, 5, 6, 7, 8], [3, 4]),
        ([1, 2, 4, 5, 6, 9], [3]),
        ([3, 2, 1], []),
        ([1, 2, 3, 3, 4, 5], [3, 3]),
    ],
)
def test_a_movement_is_three_or_more_consecutive_periods(ticks, lengths):
    safe = [SafeAction(tick=tick, period=0.02, safe=[float(tick), 1.0]) for tick in ticks]
    found = replay_tables._movements(safe)
    assert [len(each["velocity"]) for each in found] == lengths
    assert all(each["period"] == pytest.approx(0.02) for each in found)
    assert all(row[1] == 1.0 for each in found for row in each["velocity"])


@pytest.mark.parametrize("content", [b"", b"nothing of the kind"])
def test_a_file_that_is_no_bag_is_named(content, tmp_path):
    path = tmp_path / "broken.mcap"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=r"broken\.mcap"):
        replay_tables.tables(path)
    with pytest.raises(EvaluationError, match=r"missing\.mcap"):
        replay_tables.tables(tmp_path / "missing.mcap")


def test_a_bag_of_something_else_is_named(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/text", "std_msgs/msg/String")
        bag.write("/text", serialize_message(String(data="no action")), 1)
    with pytest.raises(EvaluationError, match="SafeAction"):
        replay_tables.tables(tmp_path / "bag")


def test_each_table_names_its_source_and_what_was_lost_is_told(tmp_path):
    bag = record(tmp_path / "bag")
    found = replay_tables.tables(bag)
    assert {table.source for table in found} == {str(bag)}
    assert len(found) == 5 and not notes_of(bag)
    (file,) = bag.glob("*.mcap")
    file.write_bytes(file.read_bytes()[:-40])
    assert notes_of(bag)


def notes_of(bag):
    notes = []
    replay_tables.tables(bag, notes)
    return notes
