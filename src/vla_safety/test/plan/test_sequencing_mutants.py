"""Cases that a changed line of the sequencer would get wrong."""

import pytest

from vla_contract.action_space import Kind
from vla_proof.bench.core_bench_cases import example_space
from vla_safety.plan.sequencing import MAX_ROWS, Chunk, Layer, Refusal, Sequencer, check_chunk

SPACE = example_space(Kind.LINEAR_VELOCITY, 1)
MS = 1_000_000
NOW = 1000 * MS


def chunk(actions, stamp=NOW, period=10 * MS):
    return Chunk(stamp, period, actions, "bench", ("d0",), 1)


def sequencer(window=0.0, tolerance=0.0):
    return Sequencer(SPACE, window, tolerance)


def test_the_greatest_chunk_is_taken_and_one_more_row_is_not():
    assert check_chunk(chunk([0.0] * MAX_ROWS), SPACE) is None
    assert check_chunk(chunk([0.0] * (MAX_ROWS + 1)), SPACE) is Refusal.LENGTH


def test_the_smallest_period_and_stamp_are_taken():
    assert check_chunk(chunk([0.0], period=1), SPACE) is None
    assert check_chunk(chunk([0.0], period=0), SPACE) is Refusal.PERIOD
    assert check_chunk(chunk([0.0], stamp=1), SPACE) is None
    assert check_chunk(chunk([], stamp=0, period=0), SPACE) is Refusal.ZERO_STAMP


def test_a_layer_is_linear_between_its_rows_and_constant_beyond():
    layer = Layer(chunk([0.0, 1.0, 3.0]), [[0.0], [1.0], [3.0]], NOW, NOW)
    found = [layer.at(NOW + k * MS)[0] for k in (-5, 0, 5, 10, 15, 20, 25)]
    assert found == pytest.approx([0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 3.0])
    assert layer.at(NOW + 1)[0] > 0.0


def test_without_a_tolerance_the_future_is_refused():
    assert Sequencer(SPACE, 0.0).accept(chunk([1.0], stamp=NOW + 1), NOW) is Refusal.FUTURE_STAMP


def test_chunks_are_counted():
    made = sequencer()
    assert made.accepted == 0
    for k in range(3):
        made.accept(chunk([1.0], stamp=NOW + k), NOW + k)
        made.accept(chunk([1.0], stamp=NOW + k), NOW + k)
    assert made.accepted == 3
    assert made.refusals[Refusal.DUPLICATE] == 3


def test_the_first_stamp_may_be_any_also_after_the_clock_jumped():
    made = sequencer()
    assert made.accept(chunk([1.0], stamp=1), 1) is None
    made.forget()
    assert made.accept(chunk([1.0], stamp=1), 1) is None


def test_at_most_sixteen_chunks_are_blended():
    made = sequencer(window=100.0)
    for k in range(40):
        made.accept(chunk([0.0] * 1000 if k else [1000.0] * 1000, stamp=NOW + k), NOW + k)
        assert len(made._layers) == min(k + 1, 16)


def test_a_blend_ends_with_the_newer_chunk():
    made = sequencer(window=0.01)
    made.accept(chunk([0.0] * 10), NOW)
    made.accept(chunk([1.0] * 10, stamp=NOW + 1), NOW + 1)
    assert made.at(NOW + 5 * MS + 1) == pytest.approx([0.5])
    assert made.at(NOW + 30 * MS) == [1.0]


def test_layers_that_are_hidden_are_forgotten_also_in_the_middle():
    made = sequencer(window=0.01)
    for k in range(4):
        made.accept(chunk([float(k)] * 20, stamp=NOW + k), NOW + k * 4 * MS)
    # The second has taken over wholly, the third and fourth not yet.
    assert len(made._layers) == 4
    made.at(NOW + 15 * MS)
    assert len(made._layers) == 3


def test_a_chunk_begins_anew_where_the_plan_was_not_followed():
    made = sequencer(window=1.0)
    made.accept(chunk([0.0] * 10), NOW)
    made.accept(chunk([1.0] * 10, stamp=NOW + 1), NOW + 1, anew=True)
    assert made.at(NOW + 1) == [1.0]
