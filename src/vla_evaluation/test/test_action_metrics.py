import math
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from vla_evaluation import action_metrics
from vla_evaluation.action_metrics import action_error, success, tasks, trajectory_error
from vla_evaluation.metric_errors import EvaluationError

values = st.floats(-10, 10)
tracks = hnp.arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=values)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_success_gives_the_papers_intervals(successes, trials, low, high):
    result = success([True] * successes + [False] * (trials - successes))
    assert (result.low, result.high) == (
        pytest.approx(low, abs=1e-4),
        pytest.approx(high, abs=1e-4),
    )


@given(st.lists(st.booleans(), min_size=1))
def test_the_rate_lies_in_its_interval(outcomes):
    result = success(outcomes)
    assert 0.0 <= result.low <= result.rate + 1e-12 and result.rate - 1e-12 <= result.high <= 1.0


def test_success_by_task():
    result = tasks(["a", "b", "a"], [True, False, False])
    assert (result["a"].rate, result["b"].rate, result["all"].rate) == (0.5, 0.0, 1 / 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: success([]),
        lambda: success([2]),
        lambda: success(["yes"]),
        lambda: tasks(["a"], []),
        lambda: tasks(["all"], [True]),
    ],
)
def test_bad_outcomes_are_errors(call):
    with pytest.raises(EvaluationError, match="accepted"):
        call()


def test_errors_give_scikit_learns_own_example():
    result = action_error([[0.5, 1], [-1, 1], [7, -6]], [[0, 2], [-1, 2], [8, -5]], ["x", "y"])
    assert result.mae == {"x": pytest.approx(0.5), "y": pytest.approx(1.0)}
    assert result.rmse == {"x": pytest.approx(math.sqrt(0.41666667)), "y": pytest.approx(1.0)}


def test_errors_need_no_scikit_learn_of_1_4():
    assert "root_mean_squared_error" not in vars(action_metrics)


@given(tracks, st.floats(-5, 5))
def test_a_constant_offset_is_both_errors(target, offset):
    result = action_error(target, target + offset)
    for name in ("dimension_0", "dimension_1"):
        assert result.mae[name] == pytest.approx(abs(offset), abs=1e-9)
        assert result.rmse[name] == pytest.approx(abs(offset), abs=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: action_error([], []),
        lambda: action_error([[1, 2]], [[1]]),
        lambda: action_error([[1], [2, 3]], [[1], [2]]),
        lambda: action_error([[math.nan]], [[1]]),
        lambda: action_error([[1e308]], [[-1e308]]),
        lambda: action_error([[1, 2]], [[1, 2]], ["x"]),
        lambda: action_error([[1, 2]], [[1, 2]], ["x", "x"]),
        lambda: trajectory_error([], []),
        lambda: trajectory_error([[1, 2]], [[1]]),
        lambda: trajectory_error([[math.inf, 2]], [[1, 2]]),
    ],
)
def test_bad_actions_are_errors(call):
    with pytest.raises(EvaluationError, match="accepted"):
        call()


with_warping = pytest.mark.skipif(
    find_spec("similaritymeasures") is None,
    reason="similaritymeasures is not installed (requirements/evaluate.txt)",
)


@with_warping
def test_warping_gives_fastdtws_own_example():
    result = trajectory_error([[1, 1], [2, 2], [3, 3], [4, 4], [5, 5]], [[2, 2], [3, 3], [4, 4]])
    assert result.dtw == pytest.approx(2.8284271247461903)
    assert result.dtw_mean == pytest.approx(result.dtw / 5)
    assert math.isnan(result.ade) and math.isnan(result.fde)


@with_warping
def test_displacement_over_time_and_at_the_end():
    result = trajectory_error([[0, 0], [1, 0], [2, 0]], [[0, 0], [1, 3], [2, 6]])
    assert (result.ade, result.fde) == (3.0, 6.0)


@with_warping
@given(tracks)
def test_a_track_is_at_no_distance_from_itself(track):
    result = trajectory_error(track, track)
    assert (result.ade, result.fde, result.dtw) == (0.0, 0.0, 0.0)


@with_warping
@given(tracks, tracks)
def test_warping_is_symmetric_and_at_most_the_straight_pairing(a, b):
    one, other = trajectory_error(a, b), trajectory_error(b, a)
    assert one.dtw == pytest.approx(other.dtw, abs=1e-9)
    if len(a) == len(b):
        assert one.dtw <= one.ade * len(a) + 1e-9
    # Brute force over all warping paths' costs.
    cost = np.linalg.norm(a[:, None] - b[None], axis=2)
    best = np.full((len(a) + 1, len(b) + 1), np.inf)
    best[0, 0] = 0.0
    for i in range(len(a)):
        for j in range(len(b)):
            best[i + 1, j + 1] = cost[i, j] + min(best[i, j], best[i, j + 1], best[i + 1, j])
    assert one.dtw == pytest.approx(best[-1, -1], abs=1e-9)
