import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_evaluation.alignment import action_scores, cosine_scores, retrieval
from vla_evaluation.metric_errors import EvaluationError


def test_ranks_of_three_queries():
    # The usual example of mean reciprocal rank: ranks 3, 2, 1 give 11/18.
    scores = [[0.1, 0.9, 0.5], [0.5, 0.9, 0.1], [0.9, 0.5, 0.1]]
    result = retrieval(scores, [0, 0, 0])
    assert result.mean_reciprocal_rank == pytest.approx(11 / 18)
    assert result.mean_rank == 2.0
    assert result.recall_at_1 == pytest.approx(1 / 3)
    assert result.chance == pytest.approx(1 / 3)


@given(st.integers(1, 10), st.integers(2, 10))
def test_a_constant_score_earns_nothing(frames, commands):
    result = retrieval(np.ones((frames, commands)), [0] * frames)
    assert result.recall_at_1 == 0.0 and result.mean_rank == commands


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20))
def test_a_score_that_knows_is_always_right(correct):
    result = retrieval(np.eye(5)[correct], correct)
    assert result.recall_at_1 == result.mean_rank == 1.0


@given(st.integers(0, 2**32 - 1))
def test_ranks_do_not_depend_on_the_scale_of_scores(seed):
    scores = np.random.default_rng(seed).normal(size=(6, 4))
    assert retrieval(scores, [0] * 6) == retrieval(np.exp(3 * scores), [0] * 6)


def test_cosine_is_the_cosine():
    scores = cosine_scores([[1, 0], [2, 2]], [[0, 3], [1, 0]])
    assert scores == pytest.approx(np.array([[0, 1], [0.5**0.5, 0.5**0.5]]))


def test_the_nearer_action_scores_higher():
    predicted = np.array([[[0.0, 0.0], [1.0, 1.0]], [[3.0, 4.0], [0.0, 0.0]]])
    scores = action_scores(predicted, [[0.0, 0.0], [0.0, 0.0]])
    assert scores == pytest.approx(np.array([[0, -1], [-(12.5**0.5), 0]]))
    assert retrieval(scores, [0, 1]).recall_at_1 == 1.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: retrieval([], []),
        lambda: retrieval([[1, 2]], [2]),
        lambda: retrieval([[1, 2]], [-1]),
        lambda: retrieval([[1, 2]], [0, 1]),
        lambda: retrieval([[1, 2]], [0.7]),
        lambda: retrieval([[1, float("nan")]], [0]),
        lambda: cosine_scores([[1, 0]], [[1]]),
        lambda: cosine_scores([[0, 0]], [[1, 0]]),
        lambda: action_scores([[1, 2]], [1]),
        lambda: action_scores([[[1], [2]]], [[1, 2]]),
    ],
)
def test_bad_scores_are_errors(call):
    with pytest.raises(EvaluationError, match="accepted"):
        call()
