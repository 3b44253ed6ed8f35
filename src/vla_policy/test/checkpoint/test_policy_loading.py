import pytest
import yaml

from vla_policy.backends import BackendError
from vla_policy.checkpoint.checkpoint import CheckpointError
from vla_policy.checkpoint.policy_loading import load_policy
from vla_policy.policy_config import PolicyConfig


def test_a_checkpoint_on_onnxruntime(checkpoint_folder, action_space_file, observation):
    config = PolicyConfig(checkpoint=str(checkpoint_folder), action_space=str(action_space_file))
    policy, times = load_policy(config)
    assert len(times) == config.warm_up
    assert policy.answer(observation()).chunk.actions.shape == (32, 4)


@pytest.mark.parametrize("none", ["none", ""])
def test_constant_without_a_checkpoint(none, action_space_file, observation):
    config = PolicyConfig(
        checkpoint=none,
        backend="constant",
        action_space=str(action_space_file),
        constant_action=(0.25,),
    )
    policy, _ = load_policy(config)
    result = policy.answer(observation(camera_names=("any", "names"), command="any words"))
    assert result.problem is None
    assert result.chunk.actions[0] == pytest.approx([0.2, 0.2, 0.2, 0.25])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "parameter checkpoint is none"),
        ({"backend": "constant"}, "checkpoint is none and action_space empty"),
        ({"backend": "constant", "action_space": "/nowhere.yaml"}, "/nowhere.yaml: No such file"),
        ({"checkpoint": "/nowhere"}, "checkpoint /nowhere: no such folder"),
    ],
)
def test_what_is_missing_is_named(changes, words):
    with pytest.raises(CheckpointError, match=words):
        load_policy(PolicyConfig(**changes))


def test_another_action_space(checkpoint_folder, action_space_file, tmp_path):
    data = yaml.safe_load(action_space_file.read_text())
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({**data, "name": "arm"}))
    config = PolicyConfig(checkpoint=str(checkpoint_folder), action_space=str(other))
    with pytest.raises(CheckpointError, match="name is 'arm', trained with 'metaworld'"):
        load_policy(config)


def test_an_unknown_backend(checkpoint_folder):
    with pytest.raises(BackendError, match="backend 'abacus' is unknown; accepted here: "):
        load_policy(PolicyConfig(checkpoint=str(checkpoint_folder), backend="abacus"))
