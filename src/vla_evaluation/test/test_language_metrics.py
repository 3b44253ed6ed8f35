import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_evaluation.language_metrics import commands, coverage, grounding
from vla_evaluation.metric_errors import EvaluationError


def test_command_accuracy():
    assert commands(["open", "close", "open"], ["open", "open", "open"]).accuracy == pytest.approx(
        2 / 3
    )


def test_grounding_wants_the_right_object_in_the_right_place():
    named, found = ["red", "red", "green", "blue"], ["red", "red", "blue", "blue"]
    where = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]
    guess = [[0, 0, 0.03], [1, 0, 0.2], [2, 0, 0], [3, 0.04, 0]]
    result = grounding(named, where, found, guess, tolerance=0.05)
    assert result.accuracy == 0.5
    assert result.identity_accuracy == 0.75
    assert result.within_tolerance == 0.75
    assert result.position_error == pytest.approx((0.03 + 0.2 + 0.04) / 3)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab")), min_size=1))
def test_grounding_is_never_better_than_its_parts(pairs):
    positions = np.zeros((len(pairs), 3))
    found = np.arange(len(pairs) * 3).reshape(-1, 3) * 0.02
    result = grounding([a for a, _ in pairs], positions, [b for _, b in pairs], found)
    assert result.accuracy <= min(result.identity_accuracy, result.within_tolerance)


def test_nothing_found_is_right_in_no_sense():
    result = grounding(["a", "None"], [[0, 0], [0, 0]], ["a", None], [[0, 0.01], None])
    assert (result.accuracy, result.identity_accuracy, result.within_tolerance) == (0.5, 0.5, 0.5)
    assert result.position_error == pytest.approx(0.01) and result.nothing_found == 1
    never = grounding(["a"], [[0, 0]], [None], [None])
    assert (never.accuracy, never.nothing_found) == (0.0, 1) and math.isnan(never.position_error)


def test_a_vocabulary_that_is_one_text_is_no_set_of_letters():
    with pytest.raises(EvaluationError, match="accepted: a list of words"):
        coverage(["push"], "push the button")


def test_with_no_right_object_there_is_no_position_error():
    assert math.isnan(grounding(["a"], [[0, 0]], ["b"], [[0, 0]]).position_error)


@pytest.mark.parametrize(
    "arguments",
    [
        ([], [], [], []),
        (["a"], [[0, 0]], ["a"], [[0, 0, 0]]),
        (["a"], [[0, 0]], ["a", "b"], [[0, 0]]),
        (["a"], [[0, float("inf")]], ["a"], [[0, 0]]),
        (["a"], [[0, 0]], ["a"], [[0, 0]], 0.0),
        (["a"], [[0, 0]], [None], [[0, 0]]),
        (["a"], [[0, 0]], ["a"], [None]),
    ],
)
def test_bad_groundings_are_errors(arguments):
    with pytest.raises(EvaluationError, match="accepted"):
        grounding(*arguments)


def test_coverage_counts_words_kinds_of_words_and_commands():
    result = coverage(["Open the drawer!", "open the fridge", "hello"], ["open", "the", "drawer"])
    assert result.tokens == pytest.approx(5 / 7)
    assert result.types == pytest.approx(3 / 5)
    assert result.commands == pytest.approx(1 / 3)
    assert result.unknown == {"fridge": 1, "hello": 1}


words = st.text("abc", min_size=1, max_size=3)


@given(st.lists(words, min_size=1), st.lists(words, min_size=1))
def test_a_larger_vocabulary_never_covers_less(texts, vocabulary):
    small = coverage(texts, vocabulary)
    large = coverage(texts, [*vocabulary, *texts])
    assert small.tokens <= large.tokens == 1.0 and large.unknown == {}


@pytest.mark.parametrize(("texts", "words"), [([], ["a"]), (["a"], []), (["!?"], ["a"])])
def test_nothing_to_cover_is_an_error(texts, words):
    with pytest.raises(EvaluationError, match="accepted"):
        coverage(texts, words)
