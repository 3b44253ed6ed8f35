"""A slip of the fingers is told from another word."""

import pytest

from vla_contract.language.near_names import near_names

WORDS = ("window", "open", "the", "task", "chunk_timeout", "drawer-open")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("opne", "open"),
        ("tsk", "task"),
        ("chunk_timout", "chunk_timeout"),
        ("drawer-opn", "drawer-open"),
        ("widnow", "window"),
    ],
)
def test_a_slip_is_found(word, meant):
    assert near_names(word, WORDS) == [meant]


@pytest.mark.parametrize("word", ["now", "coffee", "a", "", "drawer", "then what"])
def test_another_word_is_left_alone(word):
    assert near_names(word, WORDS) == []


def test_several_are_told_the_likest_first():
    names = ["push-left", "push-right", "pull-left", "touch"]
    assert near_names("push-lef", names, 3)[0] == "push-left"
