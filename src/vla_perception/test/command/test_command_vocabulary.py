"""What the policy knows."""

import json

import pytest

from vla_perception.command.command_vocabulary import Vocabulary, VocabularyError

WORDS = ["<pad>", "<unknown>", "open", "the", "drawer", "close", "window"]


def checkpoint(folder, words=WORDS, config: str | None = None) -> str:
    (folder / "tokenizer.json").write_text(json.dumps({"words": words}))
    if config is not None:
        (folder / "config.yaml").write_text(config)
    return str(folder / "tokenizer.json")


def test_words_and_commands_are_read_from_the_checkpoint(tmp_path):
    config = "commands: {drawer-open: [open the drawer, pull it], window-close: [close the window]}"
    known = Vocabulary.load(checkpoint(tmp_path, config=config))
    assert known.unknown("Open the FRIDGE, the fridge!") == ("fridge",)
    assert known.known_fraction("open the fridge") == pytest.approx(2 / 3)
    assert known.known_fraction("...") == 0.0
    assert known.known_fraction("pad unknown") == 0.0
    assert known.wordings["drawer-open"] == ("open the drawer", "pull it")
    assert known.offers("close the widnow") == ("close the window", "open the drawer")


def test_words_are_those_of_every_script(tmp_path):
    words = [*WORDS, "robot", "s", "caf"]
    config = "commands: {cafe: [open the café]}"
    known = Vocabulary.load(checkpoint(tmp_path, words, config))
    assert known.unknown("打开抽屉, öffne die Schublade") == (
        "打开抽屉", "öffne", "die", "schublade",
    )  # fmt: skip
    assert known.known_fraction("打开抽屉 open") == 0.5
    assert known.unknown("open the robot's café") == ()
    assert known.unknown("öopen the cafö caf") == ("öopen", "cafö")


def test_without_a_vocabulary_every_word_is_known():
    assert Vocabulary().unknown("öffne die Schublade") == ()
    assert Vocabulary().known_fraction("öffne") == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "accepted"), ('{"words": [1]}', "accepted"),
     ('{"words": ["p", "u"]}', "no words")],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, message):
    path = tmp_path / "tokenizer.json"
    path.write_text(text)
    with pytest.raises(VocabularyError, match=message) as error:
        Vocabulary.load(str(path))
    assert str(path) in str(error.value)


def test_missing_files_and_odd_configs(tmp_path):
    with pytest.raises(VocabularyError, match="No such file"):
        Vocabulary.load(str(tmp_path / "none.json"))
    assert Vocabulary.load(checkpoint(tmp_path)).commands == ()
    assert Vocabulary.load(checkpoint(tmp_path, config="name: x")).commands == ()
    with pytest.raises(VocabularyError, match="commands"):
        Vocabulary.load(checkpoint(tmp_path, config="commands: [a]"))


def test_a_config_that_cannot_be_read_is_named_and_one_wording_needs_no_list(tmp_path):
    with pytest.raises(VocabularyError, match=r"config\.yaml: while"):
        Vocabulary.load(checkpoint(tmp_path, config="commands: ["))
    assert Vocabulary.load(checkpoint(tmp_path, config="[a]")).commands == ()
    known = Vocabulary.load(checkpoint(tmp_path, config="commands: {a: open it, b: [x, y]}"))
    assert known.commands == ("open it", "x") and known.actions == {"open", "x", "y"}


def test_five_commands_are_offered():
    known = Vocabulary(wordings={str(n): (f"open {n}",) for n in range(9)})
    assert len(known.offers("open")) == 5
