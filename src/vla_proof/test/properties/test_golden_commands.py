"""An outside recorder's figures, from arrays alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.action_space import Kind
from vla_proof.bench.core_bench_cases import arm_space, example_space
from vla_proof.properties.golden_commands import Record, derivatives, disagreement, judge
from vla_proof.properties.oracle import Oracle, Sample
from vla_safety.limits.limiter import MotionLimiter


def record(space, values, ticks=None, emergency=False):
    values = np.asarray(values, dtype=float)
    ticks = np.arange(len(values)) if ticks is None else np.asarray(ticks)
    return Record(ticks, space.period, values, np.full(len(values), emergency))


def limited(space, requests):
    limiter = MotionLimiter(space)
    return np.array([limiter.step(row).safe for row in requests])


@given(st.lists(st.lists(st.floats(-2.0, 2.0), min_size=7, max_size=7), min_size=4, max_size=40))
@settings(max_examples=20)
def test_recorder_and_oracle_agree_on_what_the_limiter_makes(requests):
    space = arm_space()
    values = limited(space, requests)
    found = judge(space, record(space, values))
    oracle = Oracle(space, [0.0] * 7)
    for row in values:
        oracle.take(Sample(row, False))
    assert not found.broken and not oracle.bounds.broken
    assert found.commands == oracle.bounds.commands == len(values)


def test_it_finds_what_is_out_of_limits():
    space = example_space(Kind.LINEAR_VELOCITY, 1)
    values = limited(space, [[0.8]] * 60)
    values[40:] += 0.1
    assert {one.what for one in judge(space, record(space, values)).broken} >= {"jerk"}
    assert judge(space, record(space, [[1.5], [1.5]])).broken[0].what == "range"
    assert judge(space, record(space, [[0.0], [np.nan]])).broken[0].what == "finite"


def test_a_missing_tick_begins_a_new_run():
    space = example_space(Kind.LINEAR_VELOCITY, 1)
    values = [[0.0], [0.5]]
    assert judge(space, record(space, values)).broken
    assert not judge(space, record(space, values, ticks=[1, 3])).broken


def test_the_emergency_set_counts_where_it_is_in_force():
    space = example_space(Kind.LINEAR_VELOCITY, 1)
    values = [[0.5], [0.42]]
    assert judge(space, record(space, values)).broken
    assert not judge(space, record(space, values, emergency=True)).broken


def test_derivatives_end_with_the_last_command():
    space = example_space(Kind.JOINT_POSITION, 1, rate=10.0)
    rate, acceleration, jerk = derivatives(
        space.dimensions[0], space.period, np.array([0.0, 0.1, 0.3, 0.6])
    )
    assert rate == pytest.approx([1.0, 2.0, 3.0])
    assert acceleration == pytest.approx([10.0, 10.0])
    assert jerk == pytest.approx([0.0], abs=1e-9)


def test_two_records_of_the_same_ticks_are_compared():
    space = example_space(Kind.LINEAR_VELOCITY, 1)
    values = limited(space, [[0.8]] * 10)
    assert set(disagreement(space, space.period, values, values).values()) == {0.0}
    other = values.copy()
    other[5] += 0.01
    found = disagreement(space, space.period, other, values)
    assert found["command"] == pytest.approx(0.01)
    assert found["acceleration"] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="accepted: equal"):
        disagreement(space, space.period, values[:3], values)
