"""Utterances that stop the robot."""

import pytest

from vla_contract.language.stop_words import STOP_WORDS, StopWords


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


@pytest.mark.parametrize(
    "text",
    [
        "ｓｔｏｐ！", "s\u00adtop", "STÓJ", "stoj", "Arrêtez !", "arretez", "¡Alto!",
        "deténgase", "pare", "Fermati!", "Stopp.", "Halt", "dur", "DUR!", "Стой!", "стоп",
        "قف!", "توقف", "停止！", "停下来", "停！停！", "止まれ", "とまれとまれ",
        "ストップ", "ｽﾄｯﾌﾟ", "멈춰!", "정지", "หยุด", "หยุดหยุด", "stop, halt! стоп",
    ],
)  # fmt: skip
def test_stop_words_of_sixteen_languages_in_any_spelling(text):
    assert StopWords(STOP_WORDS).match(text)


@pytest.mark.parametrize(
    "text",
    ["停止按钮", "push the 停止 button", "정지버튼", "stopper", "parada", "кнопка стоп", "durch"],
)
def test_a_stop_word_inside_other_words_does_not(text):
    assert StopWords(STOP_WORDS).match(text) == ""


def test_a_huge_text_is_not_looked_at():
    assert StopWords(("stop",)).match("stop" + " " * 100_000) == ""


def test_without_stop_words_nothing_stops():
    assert StopWords(("", "!")).match("stop") == ""
