"""One spelling of what people type."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.language.spoken_text import normalised, tokens, without_accents, words

APOSTROPHES = "\u0027\u2018\u2019\u201b\u00b4\u0060\u02bc\u02b9\u2032\uff07\u055a\u05f3\ua78c"


@pytest.mark.parametrize("apostrophe", APOSTROPHES)
def test_every_apostrophe_is_one(apostrophe):
    assert words(f"DON{apostrophe}T open the drawer") == ["don't", "open", "the", "drawer"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ｓｔｏｐ", "stop"),
        ("Öffne die Straße", "öffne die strasse"),
        ("o\u0308ffne", "öffne"),
        ("می\u200cخواهم", "میخواهم"),
        ("\ufeffopen\u00a0the\u2003drawer", "open the drawer"),
        ("o\u00adpen", "open"),
        ("👩\u200d🔧", "👩🔧"),
    ],
)
def test_forms_that_look_alike_are_alike(text, plain):
    assert normalised(text) == plain


def test_a_word_keeps_its_marks():
    assert words("हिन्दी, ภาษาไทย!") == ["हिन्दी", "ภาษาไทย"]
    assert words("'quoted' 2 x_y") == ["quoted", "2", "x", "y"]


def test_tokens_are_those_of_checkpoints():
    assert tokens("Don’t OPEN ２ doors") == ["don", "t", "open", "2", "doors"]


def test_accents_that_many_leave_out():
    assert without_accents("stój arrête deténgase стой") == "stoj arrete detengase стои"
    assert without_accents("หยุด が") == "หยุด が"


@given(st.text())
def test_doing_it_twice_changes_nothing(text):
    once = normalised(text)
    assert normalised(once) == once
    assert unicodedata.is_normalized("NFKC", once)
