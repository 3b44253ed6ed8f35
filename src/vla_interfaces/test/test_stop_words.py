import pytest

from vla_contract.stop_words import StopWords


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        " STOP!! ",
        "Stop.",
        "halt",
        "Freeze",
        "stop, stop, stop!",
        "not any more",
        "stop halt",
    ],
)
def test_a_stop_word_as_a_whole_stops(text):
    assert StopWords(("stop", "halt", "freeze", "Not any more!")).match(text)


@pytest.mark.parametrize(
    "text",
    [
        "push the stop button",
        "stopped",
        "don't stop",
        "",
        "  ",
        "!",
        "go",
        "nonstop",
        "stop halt x",
        "any more",
        "stop " * 1000,
    ],
)
def test_anything_else_does_not(text):
    assert StopWords(("stop", "halt", "freeze")).match(text) == ""


def test_a_huge_text_is_not_looked_at():
    assert StopWords(("stop",)).match("stop" + " " * 100_000) == ""


def test_without_stop_words_nothing_stops():
    assert StopWords(("", "!")).match("stop") == ""
