import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.plan.sequencing import MAX_ROWS, Chunk, Refusal, Sequencer

MS = 1_000_000
LIMITS = Limits(1.0, 5.0, 50.0)


def dimension(name):
    return Dimension(
        name,
        Kind.LINEAR_VELOCITY,
        "m/s",
        -1.0,
        1.0,
        -1.0,
        1.0,
        LIMITS,
        LIMITS,
        "f",
        Output(name, "std_msgs/msg/Float64", "data"),
    )


SPACE = ActionSpace("test", 100.0, 10, 0.01, 10.0, (dimension("x"), dimension("y")))


def chunk(stamp_ms, rows, period_ms=10, **changes):
    values = {
        "observation_stamp": stamp_ms * MS,
        "period": period_ms * MS,
        "actions": [value for row in rows for value in row],
        "action_space": "test",
        "dimension_names": ("x", "y"),
        "command_id": 1,
    }
    return Chunk(**{**values, **changes})


def constant(stamp_ms, x, count=10):
    return chunk(stamp_ms, [(x, -x)] * count)


def ramp(stamp_ms, count=10):
    return chunk(stamp_ms, [(0.1 * i, 1.0 - 0.1 * i) for i in range(count)])


def test_rows_hold_at_their_time_and_are_linear_between():
    plan = Sequencer(SPACE, 0.0)
    assert plan.accept(ramp(100), 100 * MS) is None
    assert plan.at(100 * MS) == [0.0, 1.0]
    assert plan.at(115 * MS) == pytest.approx([0.15, 0.85])
    assert plan.at(190 * MS) == pytest.approx([0.9, 0.1])
    assert plan.at(199 * MS) == pytest.approx([0.9, 0.1])


def test_a_chunk_is_exhausted_one_period_after_its_last_row():
    plan = Sequencer(SPACE, 0.0)
    plan.accept(ramp(100), 100 * MS)
    assert not plan.exhausted(200 * MS - 1)
    assert plan.exhausted(200 * MS)
    assert plan.at(200 * MS) is None


def test_a_late_chunk_skips_what_is_past():
    plan = Sequencer(SPACE, 0.0)
    plan.accept(ramp(100), 150 * MS)
    assert plan.at(150 * MS) == pytest.approx([0.5, 0.5])


def test_a_new_chunk_is_blended_over_the_window():
    plan = Sequencer(SPACE, 0.1)
    plan.accept(constant(0 + 1, 0.0, 40), 1 * MS)
    plan.accept(constant(101, 1.0, 40), 101 * MS)
    assert [plan.at((101 + t) * MS)[0] for t in (0, 25, 50, 100, 150)] == pytest.approx(
        [0.0, 0.25, 0.5, 1.0, 1.0]
    )


def test_overlapping_blends_stay_continuous():
    plan = Sequencer(SPACE, 0.1)
    last, now = None, 0
    for now in range(1, 600):
        if now % 30 == 1:
            plan.accept(constant(now, float(now % 60 == 1), 40), now * MS)
        value = plan.at(now * MS)[0]
        # Three blends of a window of 100 ms overlap: no more than 3 % of the step per ms.
        assert last is None or abs(value - last) <= 0.031
        last = value


def test_an_exhausted_plan_is_not_blended_with():
    plan = Sequencer(SPACE, 0.1)
    plan.accept(constant(1, 1.0), 1 * MS)
    plan.accept(constant(500, 0.2), 500 * MS)
    assert plan.at(500 * MS)[0] == 0.2


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"action_space": "other"}, Refusal.ACTION_SPACE),
        ({"dimension_names": ("y", "x")}, Refusal.DIMENSIONS),
        ({"dimension_names": ()}, Refusal.DIMENSIONS),
        ({"actions": [1.0]}, Refusal.WIDTH),
        ({"actions": [0.0, math.nan]}, Refusal.NOT_FINITE),
        ({"actions": [math.inf, 0.0]}, Refusal.NOT_FINITE),
        ({"actions": [0.0] * (2 * MAX_ROWS + 2)}, Refusal.LENGTH),
        ({"period": 0}, Refusal.PERIOD),
        ({"period": -1}, Refusal.PERIOD),
        ({"observation_stamp": 0}, Refusal.ZERO_STAMP),
        ({"observation_stamp": -5}, Refusal.ZERO_STAMP),
        ({"observation_stamp": 300 * MS}, Refusal.FUTURE_STAMP),
        ({"observation_stamp": 100 * MS}, Refusal.DUPLICATE),
        ({"observation_stamp": 90 * MS}, Refusal.OUT_OF_ORDER),
    ],
)
def test_a_bad_chunk_is_refused_counted_and_leaves_the_plan(changes, refusal):
    plan = Sequencer(SPACE, 0.0, 0.02)
    plan.accept(constant(100, 0.5), 100 * MS)
    before = plan.at(110 * MS)
    assert plan.accept(chunk(110, [(1.0, 1.0)] * 5, **changes), 110 * MS) is refusal
    assert plan.refusals == {refusal: 1}
    assert plan.at(110 * MS) == before


def test_a_chunk_wholly_in_the_past_is_refused():
    plan = Sequencer(SPACE, 0.0)
    assert plan.accept(ramp(100), 200 * MS) is Refusal.EXPIRED
    assert plan.accept(ramp(101), 200 * MS) is None


def test_a_stamp_within_the_tolerance_of_the_future_is_taken():
    plan = Sequencer(SPACE, 0.0, 0.02)
    assert plan.accept(ramp(120), 100 * MS) is None
    assert plan.at(100 * MS) == [0.0, 1.0]
    assert plan.accept(ramp(150), 100 * MS) is Refusal.FUTURE_STAMP


def test_an_empty_chunk_empties_the_plan():
    plan = Sequencer(SPACE, 0.1)
    plan.accept(constant(100, 0.5), 100 * MS)
    assert plan.accept(chunk(110, [], period=0), 110 * MS) is None
    assert plan.at(110 * MS) is None
    assert plan.chunk is None and not plan.exhausted(110 * MS)


def test_clearing_keeps_the_order_and_forgetting_does_not():
    plan = Sequencer(SPACE, 0.1)
    plan.accept(constant(100, 0.5), 100 * MS)
    plan.clear()
    assert plan.at(100 * MS) is None
    assert plan.accept(constant(100, 0.5), 100 * MS) is Refusal.DUPLICATE
    plan.forget()
    assert plan.accept(constant(50, 0.5), 60 * MS) is None


@given(
    st.lists(
        st.tuples(st.integers(1, 80), st.integers(0, 60), st.floats(-1.0, 1.0)),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([0.0, 0.03, 0.1]),
)
def test_the_plan_never_leaves_the_hull_of_its_chunks(arrivals, window):
    plan, now, last_stamp, seen = Sequencer(SPACE, window), 1000, 0, []
    for gap, delay, value in arrivals:
        now += gap
        stamp = now - delay
        refusal = plan.accept(constant(stamp, value), now * MS)
        assert (refusal is None) == (stamp > last_stamp)
        if refusal is None:
            last_stamp = stamp
            seen.append(value)
        for t in range(0, gap, 7):
            row = plan.at((now + t) * MS)
            if row is not None:
                assert min(seen) - 1e-12 <= row[0] <= max(seen) + 1e-12
                assert row[1] == pytest.approx(-row[0])
        now += gap
