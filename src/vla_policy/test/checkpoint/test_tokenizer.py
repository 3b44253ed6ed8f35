import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_policy.checkpoint.tokenizer import PADDING, UNKNOWN, Tokenizer, TokenizerError

WORDS = ("<pad>", "<unknown>", "drawer", "open", "the")
TOKENIZER = Tokenizer(WORDS, 5)


def test_words_become_ids_and_padding_follows():
    tokens = TOKENIZER.encode("Open the DRAWER!")
    assert tokens.ids.tolist() == [3, 4, 2, PADDING, PADDING]
    assert (tokens.count, tokens.known, tokens.unknown, tokens.truncated) == (3, 3, (), 0)


def test_unknown_and_surplus_words_are_told():
    tokens = TOKENIZER.encode("open the red drawer the open the")
    assert tokens.ids.tolist() == [3, 4, UNKNOWN, 2, 4]
    assert (tokens.known, tokens.unknown, tokens.truncated) == (4, ("red",), 2)


def test_the_names_of_padding_and_unknown_are_not_words():
    assert Tokenizer(("pad", "unknown", "open"), 4).encode("pad unknown").known == 0


def test_equal_keys_for_what_is_the_same_to_the_model():
    assert TOKENIZER.encode("open drawer").key == TOKENIZER.encode(" OPEN, drawer. ").key
    assert TOKENIZER.encode("open drawer").key != TOKENIZER.encode("drawer open").key


def test_an_open_vocabulary_knows_every_word():
    assert Tokenizer(("<pad>", "<unknown>"), 3, open=True).encode("fetch coffee").known == 2


@given(st.text(max_size=2000))
def test_any_text_gives_a_full_row(text):
    tokens = TOKENIZER.encode(text)
    assert tokens.ids.shape == (5,)
    assert 0 <= tokens.known <= tokens.count <= 5
    assert (tokens.ids[tokens.count :] == PADDING).all()


@pytest.mark.parametrize(
    "text", ["", "[]", '{"words": 3}', '{"words": ["a"]}', '{"words": ["a", "b", "b"]}']
)
def test_a_wrong_vocabulary_is_refused(text):
    with pytest.raises(TokenizerError):
        Tokenizer.from_json(text, 4)
