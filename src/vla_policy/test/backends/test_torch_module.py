"""The backend `torch`; needs what training needs."""

import json

import numpy as np
import pytest
import yaml

from vla_policy import backends
from vla_policy.backends import BackendError, BackendOptions, Inputs
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_proof.test_support.tiny_checkpoints import write_config

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")


@pytest.fixture
def folder(checkpoint_folder):
    """The tiny checkpoint with the weights of a small network of random weights."""
    from safetensors.torch import save_file

    from vla_policy.model import ModelConfig, VLAModel

    words = json.loads((checkpoint_folder / "tokenizer.json").read_text())["words"]
    torch.manual_seed(0)
    config = ModelConfig(
        cameras=2,
        vocabulary=len(words),
        backbone="narrow18",
        stage_widths=(8, 8, 8, 8),
        embedding=8,
        language_hidden=8,
        hidden=16,
        heads=2,
        keypoints=4,
        fusion_hidden=16,
        planner_hidden=16,
    )
    model = VLAModel(config).eval()
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        checkpoint_folder / "weights.safetensors",
    )
    entries = yaml.safe_load((checkpoint_folder / "config.yaml").read_text())
    write_config(checkpoint_folder, {**entries, "architecture": config.to_dict()})
    return checkpoint_folder, model


def change_architecture(folder, **changes):
    entries = yaml.safe_load((folder / "config.yaml").read_text())
    entries["architecture"].update(changes)
    write_config(folder, entries)


@pytest.mark.parametrize("mode", ["eager", pytest.param("compiled", marks=pytest.mark.slow)])
def test_computes_what_the_network_computes(folder, mode):
    folder, model = folder
    checkpoint = Checkpoint.load(folder)
    backend = backends.create("torch", BackendOptions(threads=1, torch_mode=mode))
    backend.load(checkpoint)
    random = np.random.default_rng(0)
    inputs = Inputs(
        random.integers(0, 256, (1, 2, 96, 96, 3), dtype=np.uint8),
        np.array([[1.0, 0.0]], dtype=np.float32),
        random.normal(size=(1, 4)).astype(np.float32),
    )
    tokens = checkpoint.tokenizer.encode("open the drawer")
    prediction = backend.forward(inputs, backend.encode_language(tokens))
    with torch.inference_mode():
        expected = model(
            *map(torch.from_numpy, (inputs.images, inputs.camera_mask, inputs.state)),
            torch.from_numpy(tokens.ids)[None],
            torch.tensor([3]),
        )
    assert prediction.actions.shape == (32, 4)
    assert np.allclose(prediction.actions, expected.actions[0].numpy(), atol=1e-4)
    assert np.allclose(prediction.steps_logits, expected.steps_logits[0].numpy(), atol=1e-4)


def test_weights_that_do_not_fit(folder):
    change_architecture(folder[0], hidden=32)
    backend = backends.create("torch", BackendOptions())
    with pytest.raises(BackendError, match="weights.safetensors does not fit") as info:
        backend.load(Checkpoint.load(folder[0]))
    assert "\n" not in str(info.value)


def test_an_architecture_that_cannot_be_built(folder):
    change_architecture(folder[0], backbone="mamba")
    backend = backends.create("torch", BackendOptions())
    with pytest.raises(BackendError, match="config.yaml: backbone is 'mamba'; accepted: narrow18"):
        backend.load(Checkpoint.load(folder[0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cameras": 3}, "cameras is 3; accepted: 2"),
        ({"state": 7}, "state is 7; accepted: 4"),
        ({"vocabulary": 99}, "vocabulary is 99; accepted: "),
        ({"steps": 8}, "steps is 8; accepted: 32"),
    ],
)
def test_an_architecture_of_something_else(folder, change, words):
    change_architecture(folder[0], **change)
    backend = backends.create("torch", BackendOptions())
    with pytest.raises(BackendError, match=f"config.yaml: architecture's {words}"):
        backend.load(Checkpoint.load(folder[0]))


def test_a_mode_that_is_unknown():
    with pytest.raises(BackendError, match="torch_mode is 'fast'; accepted: eager, compiled"):
        backends.create("torch", BackendOptions(torch_mode="fast"))


def test_weights_that_are_not_safetensors(folder):
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'  # and no data
    content = len(header).to_bytes(8, "little") + header
    (folder[0] / "weights.safetensors").write_bytes(content)
    change_architecture(folder[0])
    backend = backends.create("torch", BackendOptions())
    with pytest.raises(BackendError, match="weights.safetensors: .*accepted: safetensors"):
        backend.load(Checkpoint.load(folder[0]))
