"""What does not fit fails when the node is configured, in one line: what, where, what is expected.

`load_policy` is what `on_configure` calls.
"""

import pickle

import pytest
import yaml

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper

from vla_policy.backends import BackendError
from vla_policy.checkpoint.checkpoint import CheckpointError
from vla_policy.checkpoint.policy_loading import load_policy
from vla_policy.policy_config import PolicyConfig
from vla_proof.test_support.tiny_checkpoints import write_config


def entries(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())


def edit(folder, **changes):
    write_config(folder, {**entries(folder), **changes})


def remove(folder):
    (folder / "language.onnx").unlink()


def alter(folder):
    with (folder / "policy.onnx").open("ab") as file:
        file.write(b"x")


def add_pickle(folder):
    (folder / "weights.pt").write_bytes(pickle.dumps({"weights": 1}))


def list_pickle(folder):
    content = entries(folder)
    (folder / "weights.bin").write_bytes(pickle.dumps({"weights": 1}))
    write_config(folder, content)


def pickle_as_onnx(folder):
    (folder / "policy.onnx").write_bytes(pickle.dumps({"weights": 1}))
    edit(folder)


def other_onnx(folder):
    """An ONNX file of something else."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3))
    graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["y"])], "other", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, folder / "policy.onnx")
    edit(folder)


def shorter_chunk(folder):
    """A graph whose steps_logits belong to another chunk length than its actions."""
    model = onnx.load(folder / "policy.onnx")
    for initializer in model.graph.initializer:
        if initializer.name == "logits":
            initializer.CopyFrom(helper.make_tensor("logits", TensorProto.FLOAT, (1, 9), [0.0] * 9))
    del model.graph.output[1]
    model.graph.output.insert(
        1, helper.make_tensor_value_info("steps_logits", TensorProto.FLOAT, (1, 9))
    )
    onnx.save(model, folder / "policy.onnx")
    edit(folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (remove, "language.onnx is missing; config.yaml lists it"),
        (alter, "policy.onnx is altered: its sha256 is .*; accepted: "),
        (add_pickle, "weights.pt: weights that can hold code are not loaded; accepted: weights.sa"),
        (list_pickle, "weights.bin: .*not loaded; accepted: "),
        (pickle_as_onnx, "policy.onnx cannot be loaded: .*accepted: an ONNX model"),
        (other_onnx, "policy.onnx: input 'x' is unknown; accepted: images, camera_mask"),
        (shorter_chunk, "gives 9 steps_logits; accepted: 33"),
        (
            lambda folder: edit(folder, cameras=["one", "two", "three"]),
            r"input 'images' is uint8\[1, 2, 96, 96, 3\]; accepted: uint8\[1, 3,",
        ),
        (
            lambda folder: edit(folder, state_names=["joint_1"]),
            r"input 'state' is float\[1, 4\]; accepted: float\[1, 1\]",
        ),
    ],
)
def test_a_spoilt_checkpoint(checkpoint_folder, spoil, words):
    spoil(checkpoint_folder)
    with pytest.raises((BackendError, CheckpointError), match=words) as info:
        load_policy(PolicyConfig(checkpoint=str(checkpoint_folder), warm_up=1))
    assert "\n" not in str(info.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"cameras": ("corner2",)},
            "the robot has the cameras corner2; accepted by checkpoint .*: corner2, gripper_pov",
        ),
        (
            {"state_names": ("end_effector.x", "end_effector.y", "end_effector.z")},
            "state_names lack gripper_opening; accepted by checkpoint .*gripper_opening at least",
        ),
    ],
)
def test_another_robot_than_the_checkpoint_s(checkpoint_folder, changes, words):
    config = PolicyConfig(checkpoint=str(checkpoint_folder), warm_up=1, **changes)
    with pytest.raises(CheckpointError, match=words) as info:
        load_policy(config)
    assert "\n" not in str(info.value)


def test_the_checkpoint_s_own_robot(checkpoint_folder, action_space_file):
    config = PolicyConfig(
        checkpoint=str(checkpoint_folder),
        action_space=str(action_space_file),
        cameras=("gripper_pov", "corner2"),  # in any order
        state_names=(*entries(checkpoint_folder)["state_names"], "one_more"),
        warm_up=1,
    )
    assert load_policy(config)[0].checkpoint.name == "tiny"
