"""`vla doctor --mapping`: what fits, what is missing and what is suspicious."""

import json
import struct

import numpy as np
import pytest
import yaml

from vla_cli.client.command_errors import CommandError
from vla_cli.doctor import doctor_command
from vla_proof.test_support.small_server import Server

NAMES = ["shoulder_pan", "gripper"]
MAPPING = {
    "images": [{"camera": "front", "key": "observation.images.front"}],
    "state": {"key": "observation.state", "names": NAMES},
    "prompt": "task",
    "joints": {"shoulder_pan": {"unit": "deg"}, "gripper": {"unit": "percent", "range": [0, 1]}},
    "constants": {"actions_per_chunk": 16},
    "actions": {"key": "action", "columns": [0, 1], "units": "si", "period": 0},
}


def written(tmp_path, **changes):
    file = tmp_path / "mapping.yaml"
    file.write_text(yaml.safe_dump({**MAPPING, **changes}))
    return str(file)


@pytest.fixture
def folder(tmp_path):
    """As LeRobot's save_pretrained writes it, without its weights."""
    config = {
        "type": "act",
        "chunk_size": 16,
        "input_features": {
            "observation.state": {"type": "STATE", "shape": [2]},
            "observation.images.front": {"type": "VISUAL", "shape": [3, 96, 128]},
        },
        "output_features": {"action": {"type": "ACTION", "shape": [2]}},
    }
    made = tmp_path / "policy"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(config))
    numbers = np.array([[-95.0, 0.0], [95.0, 100.0]], "<f4")
    header = json.dumps(
        {
            f"observation.state.{name}": {
                "dtype": "F32",
                "shape": [2],
                "data_offsets": [8 * i, 8 * i + 8],
            }
            for i, name in enumerate(("min", "max"))
        }
    ).encode()
    file = made / "policy_preprocessor_step_3_normalizer_processor.safetensors"
    file.write_bytes(struct.pack("<Q", len(header)) + header + numbers.tobytes())
    return made


def told(capsys, *arguments):
    status = doctor_command.main(list(arguments))
    return status, capsys.readouterr().out


def test_what_fits_is_told_line_by_line(tmp_path, folder, capsys):
    status, said = told(capsys, "--mapping", written(tmp_path), "--checkpoint", str(folder))
    assert status == 0 and "warning" not in said and "error" not in said
    assert "act of LeRobot" in said
    assert "the policy takes 2 numbers, the mapping sends 2" in said
    assert "shoulder_pan fits: the dataset's are -95 to 95, the mapping sends deg" in said


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        (
            {"joints": {}},
            0,
            "shoulder_pan suspicious: the dataset's are -95 to 95, the mapping sen",
        ),
        ({"joints": {}}, 0, "gripper suspicious: the dataset's are 0 to 100, the mapping sends si"),
        (
            {"images": [{"camera": "front", "key": "observation.images.wrist"}]},
            1,
            "observation.images.front missing: the policy wants it, the mapping has observation.im",
        ),
        (
            {"state": {"key": "observation.state", "names": ["gripper"]}},
            1,
            "observation.state missing: the policy takes 2 numbers, the mapping sends 1",
        ),
        (
            {"actions": {**MAPPING["actions"], "columns": [0, 2]}},
            1,
            "action missing: the policy gives 2 numbers, the mapping's columns need 3",
        ),
        (
            {"constants": {"actions_per_chunk": 100}},
            0,
            "action suspicious: 16 rows in a chunk, the mapping asks for 100",
        ),
    ],
)
def test_what_does_not_fit_names_both_sides(tmp_path, folder, capsys, changes, status, words):
    file = written(tmp_path, **changes)
    assert words in told(capsys, "--mapping", file, "--checkpoint", str(folder))[1]
    assert doctor_command.main(["--mapping", file, "--checkpoint", str(folder)]) == status


def test_a_server_is_asked(tmp_path, capsys):
    server = Server()
    server.infer = lambda request: {"action": np.zeros((16, 2), np.float32)}
    try:
        status, said = told(capsys, "--mapping", written(tmp_path), "--server", server.url)
        assert status == 0 and "a grey image: 16 rows of 2 numbers" in said
        server.infer = lambda request: {"other": np.zeros((16, 2), np.float32)}
        status, said = told(capsys, "--mapping", written(tmp_path), "--server", server.url)
        assert status == 1 and "a grey image: the answer has other; accepted: action" in said
    finally:
        server.stop()


def test_what_cannot_be_read_is_named(tmp_path, folder):
    with pytest.raises(CommandError, match="config.json: No such file"):
        doctor_command.main(["--mapping", written(tmp_path), "--checkpoint", str(tmp_path)])
    (folder / "config.json").write_text("{}")
    with pytest.raises(CommandError, match="is no config.json of LeRobot's policies"):
        doctor_command.main(["--mapping", written(tmp_path), "--checkpoint", str(folder)])
    with pytest.raises(CommandError, match="--protocol is 'x'; accepted: openpi, "):
        doctor_command.main(
            ["--mapping", written(tmp_path), "--server", "ws://x:1", "--protocol", "x"]
        )
    with pytest.raises(CommandError, match="--server is 'x'; accepted: ws://host:port"):
        doctor_command.main(["--mapping", written(tmp_path), "--server", "x"])
