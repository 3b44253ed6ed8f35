import json
import pickle
import re

import pytest
import yaml

from vla_contract.action_space import ActionSpace
from vla_policy.checkpoint.checkpoint import Checkpoint, CheckpointError
from vla_proof.test_support.tiny_checkpoints import CAMERAS, STATE_NAMES, write_config


def change(folder, **changes):
    """Change entries of config.yaml (None: take the entry out)."""
    path = folder / "config.yaml"
    config = {**yaml.safe_load(path.read_text()), **changes}
    path.write_text(yaml.safe_dump({k: v for k, v in config.items() if v is not None}))


def refusal(folder):
    with pytest.raises(CheckpointError) as info:
        Checkpoint.load(folder)
    text = str(info.value)
    assert "\n" not in text
    assert text.startswith(f"checkpoint {folder}: ")
    return text


def test_reads_everything(checkpoint_folder, space):
    checkpoint = Checkpoint.load(checkpoint_folder)
    assert (checkpoint.cameras, checkpoint.state_names) == (CAMERAS, STATE_NAMES)
    assert (checkpoint.image_height, checkpoint.image_width) == (96, 96)
    assert checkpoint.action_space == space
    assert checkpoint.tokenizer.encode("open the drawer").known == 3
    assert checkpoint.commands["drawer-open"] == ("open the drawer",)
    assert checkpoint.read("tokenizer.json").startswith(b'{"words"')


def test_no_folder_and_no_config(tmp_path):
    assert "no such folder" in refusal(tmp_path / "nowhere")
    assert "config.yaml is missing" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["policy.onnx", "language.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(checkpoint_folder, name):
    (checkpoint_folder / name).unlink()
    assert f"{name} is missing" in refusal(checkpoint_folder)


@pytest.mark.parametrize("name", ["policy.onnx", "action_space.yaml", "tokenizer.json"])
def test_an_altered_file_is_named(checkpoint_folder, name):
    with (checkpoint_folder / name).open("ab") as file:
        file.write(b" ")
    assert re.search(
        rf"{name} is altered: its sha256 is \w{{12}}…; accepted: \w{{12}}…",
        refusal(checkpoint_folder),
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "format is 2; accepted: 1"),
        ({"cameras": None}, "lacks cameras"),
        ({"colour": "red"}, "has unknown colour"),
        ({"cameras": []}, "at least one"),
        ({"cameras": ["a", "a"]}, "different names"),
        ({"cameras": "corner2"}, "cameras is 'corner2'; accepted: list"),
        ({"image": {"height": 96}}, "accepted: {height: pixels, width: pixels}"),
        ({"image": {"height": 96, "width": 0}}, "accepted: {height: pixels, width: pixels}"),
        ({"state_names": ["end_effector.w"]}, "accepted: joint names and end_effector.x"),
        ({"max_words": 0}, "at least 1"),
        ({"max_words": True}, "accepted: int"),
        ({"tokenizer": "../tokenizer.json"}, "which files lacks"),
        ({"commands": {"drawer-open": "open"}}, "a list of wordings"),
        ({"files": {"../policy.onnx": "0" * 64}}, "names of files in the folder"),
        ({"files": {"weights.pt": "0" * 64}}, "files of this kind are not loaded"),
        ({"files": {"policy.onnx": "abc"}}, "a sha256 in hex"),
    ],
)
def test_a_wrong_entry_is_named(checkpoint_folder, changes, words):
    change(checkpoint_folder, **changes)
    assert words in refusal(checkpoint_folder)


def test_config_that_is_not_yaml(checkpoint_folder):
    (checkpoint_folder / "config.yaml").write_text("a: [")
    assert "config.yaml" in refusal(checkpoint_folder)
    (checkpoint_folder / "config.yaml").write_text("- a")
    assert "is not a mapping" in refusal(checkpoint_folder)


def test_weights_that_can_hold_code_are_refused(checkpoint_folder):
    (checkpoint_folder / "weights.pkl").write_bytes(b"")
    assert "weights.pkl: weights that can hold code are not loaded" in refusal(checkpoint_folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        pickle.dumps({"weights": [1.0]}),
        (99).to_bytes(8, "little") + b"{}",  # longer than the file
        (2).to_bytes(8, "little") + b"[]",
        (2).to_bytes(8, "little") + b"\xff{",
    ],
    ids=["empty", "pickle", "cut", "list", "no text"],
)
def test_weights_that_are_no_safetensors_are_refused(checkpoint_folder, content):
    config = yaml.safe_load((checkpoint_folder / "config.yaml").read_text())
    (checkpoint_folder / "weights.safetensors").write_bytes(content)
    write_config(checkpoint_folder, config)
    assert "weights.safetensors holds no safetensors" in refusal(checkpoint_folder)
    (checkpoint_folder / "weights.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    write_config(checkpoint_folder, config)
    Checkpoint.load(checkpoint_folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"state": {"names": list(STATE_NAMES)}}, None),
        (
            {"state": {"names": list(STATE_NAMES[::-1])}},
            r"state_names is \['end_.*; accepted: \['g",
        ),
        ({"state": {"names": list(STATE_NAMES[:3])}}, "as in normalisation.json"),
        ({"state": [1]}, "normalisation.json: accepted: JSON with state.names"),
    ],
)
def test_the_state_s_order_is_that_of_its_normalisation(checkpoint_folder, content, words):
    config = yaml.safe_load((checkpoint_folder / "config.yaml").read_text())
    (checkpoint_folder / "normalisation.json").write_text(json.dumps(content))
    write_config(checkpoint_folder, config)
    if words is None:
        assert Checkpoint.load(checkpoint_folder).state_names == STATE_NAMES
    else:
        assert re.search(words, refusal(checkpoint_folder))


def test_a_wrong_action_space_or_vocabulary_is_named(checkpoint_folder):
    config = yaml.safe_load((checkpoint_folder / "config.yaml").read_text())
    (checkpoint_folder / "tokenizer.json").write_text("{}")
    write_config(checkpoint_folder, config)
    assert "tokenizer.json: accepted" in refusal(checkpoint_folder)
    (checkpoint_folder / "tokenizer.json").write_text('{"words": ["a", "b"]}')
    (checkpoint_folder / "action_space.yaml").write_text("name: x")
    write_config(checkpoint_folder, config)
    assert "action_space.yaml: the file lacks control_rate" in refusal(checkpoint_folder)


def test_another_action_space_is_refused_by_content(checkpoint_folder, action_space_file):
    checkpoint = Checkpoint.load(checkpoint_folder)
    data = yaml.safe_load(action_space_file.read_text())
    checkpoint.require_action_space(ActionSpace.from_dict(data), "robot.yaml")
    data["dimensions"][1] = {**data["dimensions"][1], "range": [-0.5, 0.5]}
    data["braking_time"] = 0.3
    with pytest.raises(CheckpointError) as info:
        checkpoint.require_action_space(ActionSpace.from_dict(data), "robot.yaml")
    text = str(info.value)
    assert "braking_time is 0.3, trained with 0.25; dimension linear_y differs" in text


def test_only_listed_files_are_read(checkpoint_folder):
    checkpoint = Checkpoint.load(checkpoint_folder)
    with pytest.raises(CheckpointError, match="not among its files"):
        checkpoint.read("weights.safetensors")
    (checkpoint_folder / "policy.onnx").write_bytes(b"other")
    with pytest.raises(CheckpointError, match="altered"):
        checkpoint.read("policy.onnx")


def test_no_weights(space):
    checkpoint = Checkpoint.without_weights(space)
    assert checkpoint.cameras == ()
    assert checkpoint.tokenizer.encode("anything goes").known == 2
