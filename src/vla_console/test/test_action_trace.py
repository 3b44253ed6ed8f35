"""Samples and chunks for the plot."""

import json
import math

from vla_console.action_trace import LONGEST, ActionTrace, ChunkView, DimensionView


def test_what_is_new_is_told_once():
    trace = ActionTrace()
    assert trace.drain() is None
    trace.add(2_000_000_000, ("x", "y"), (math.nan, 1.0), (0.123456, math.inf), 5)
    trace.set_chunk(ChunkView(10**9, 0.1, ((1.0, 2.0), (3.0, 4.0))))
    told = trace.drain()
    assert told["samples"] == [[2.0, [None, 1.0], [0.1235, None]]]
    assert told["chunk"] == {"t": 1.0, "period": 0.1, "rows": [[1.0, 2.0], [3.0, 4.0]]}
    json.dumps(told, allow_nan=False)
    assert trace.drain() is None and trace.last_at == 5


def test_samples_are_bounded_and_the_oldest_go_first():
    trace = ActionTrace()
    for i in range(LONGEST + 10):
        trace.add(i * 10**9, ("x",), (0.0,), (0.0,), i)
    samples = trace.drain()["samples"]
    assert len(samples) == LONGEST and samples[0][0] == 10.0


def test_dimensions_come_in_the_order_of_what_is_sent():
    trace = ActionTrace()
    trace.describe([DimensionView("x", "m/s", "linear_velocity", -1.0, 1.0), DimensionView("g")])
    assert [d["name"] for d in trace.dimensions()] == ["x", "g"]
    trace.add(0, ("g", "x", "new"), (0.0,) * 3, (0.0,) * 3, 0)
    told = trace.dimensions()
    assert [d["name"] for d in told] == ["g", "x", "new"]
    assert told[1]["unit"] == "m/s" and told[2]["low"] is None
