"""A run becomes a folder that the policy package loads and that computes what torch does."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx
import onnxruntime
import torch
from safetensors.torch import load_file

from vla_learning.export.byte_input import BYTES, INPUT, follow, take_bytes
from vla_learning.export.exporting import (
    POLICY_NAMES,
    TOLERANCE,
    ExportError,
    example_inputs,
    export_run,
    write_checkpoint,
)
from vla_learning.export.quantizing import Method, difference, quantize
from vla_learning.train.tokenizer_fit import build_tokenizer
from vla_learning.train.training_runs import TrainingError, build_model
from vla_policy import backends
from vla_policy.backends import BackendOptions, Inputs
from vla_policy.backends.torch_module import load_model
from vla_policy.checkpoint.checkpoint import POLICY_ONNX, Checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoint")


@pytest.fixture
def exported(folder, settings, space):
    if not (folder / "config.yaml").exists():
        export_run(settings, space, Path("none"), folder, "random")
    return Checkpoint.load(folder)


@pytest.mark.slow  # writing the graphs
def test_the_policy_package_loads_it(exported, settings):
    assert exported.cameras == settings.cameras
    assert exported.state_names == settings.state_names
    assert exported.commands == settings.commands
    assert exported.tokenizer == build_tokenizer(settings.commands, settings.max_words)


@pytest.mark.slow  # writing the graphs
def test_the_graphs_hold_no_path_of_the_machine_that_wrote_them(exported, folder):
    for graph in folder.glob("*.onnx"):
        assert b".py" not in graph.read_bytes()


@pytest.mark.slow  # writing the graphs
def test_every_gelu_is_one_operator_when_it_runs(exported, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    onnxruntime.InferenceSession(
        exported.read(POLICY_ONNX), options, providers=["CPUExecutionProvider"]
    )
    kinds = [node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert "Erf" not in kinds
    written = onnx.load_from_string(exported.read(POLICY_ONNX)).graph.node
    count = sum(node.op_type == "Erf" for node in written)
    assert count == kinds.count("Gelu") + kinds.count("BiasGelu") and count >= 4


@pytest.mark.slow  # writing and quantizing the graphs
def test_an_exported_graph_is_quantized_on_the_bytes_of_its_images(exported, tmp_path):
    """The first convolution's input is never a float, and its border is what the float's was."""
    exact = exported.read(POLICY_ONNX)
    floats = onnx.load_from_string(exact)
    assert take_bytes(floats)
    model = load_model(exported)
    feeds = []
    for seed in range(8):
        inputs = example_inputs(model, seed)[1]
        feeds.append({n: a.numpy() for n, a in zip(POLICY_NAMES[0], inputs, strict=True)})
        feeds[-1]["images"] //= 4  # dark: the range that calibration finds is not that of bytes
    apart = difference(exact, floats.SerializeToString(), feeds)
    assert apart.greatest < 5e-3
    quantize(exact, tmp_path / "static.onnx", Method.STATIC, feeds)
    graph = onnx.load(tmp_path / "static.onnx").graph
    kinds = ("Reshape", "Concat", "Concat", "Transpose", "DequantizeLinear", "Conv")
    way = follow(graph, INPUT, kinds)
    assert way is not None and list(way[-2].output) == [BYTES]
    convolution = way[-1]
    # Integers of the convolution's sum: the bias has the scale of input times weights.
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    made = {name: node for node in graph.node for name in node.output}
    scales = [constants[made[name].input[1]] for name in convolution.input]
    np.testing.assert_allclose(scales[2], scales[0] * scales[1], rtol=1e-6)


@pytest.mark.slow  # writing the graphs
def test_onnx_equals_torch(exported):
    answers = []
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1, 2, 32, 32, 3), dtype=np.uint8)
    tokens = exported.tokenizer.encode("open the door")
    for name in ("onnxruntime", "torch"):
        backend = backends.create(name, BackendOptions(threads=1))
        backend.load(exported)
        for mask in ([1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]):
            inputs = Inputs(images, np.array([mask], np.float32), np.ones((1, 4), np.float32))
            answers.append(backend.forward(inputs, backend.encode_language(tokens)))
    for mine, theirs in zip(answers[:4], answers[4:], strict=True):
        assert np.abs(mine.actions - theirs.actions).max() < TOLERANCE
        assert np.abs(mine.steps_logits - theirs.steps_logits).max() < TOLERANCE


def test_weights_are_stored_in_half_precision_and_lose_nothing_by_it(
    settings, space, tmp_path, monkeypatch
):
    monkeypatch.setattr("vla_learning.export.exporting.export_graphs", _no_graphs)
    model = build_model(settings, space, build_tokenizer(settings.commands, 16))
    write_checkpoint(model, build_tokenizer(settings.commands, 16), settings, {}, tmp_path)
    stored = load_file(tmp_path / "weights.safetensors")
    parameters = dict(model.named_parameters())
    assert {name for name, v in stored.items() if v.dtype == torch.float16} == set(parameters)
    read = load_model(Checkpoint.load(tmp_path)).state_dict()
    for name, value in model.state_dict().items():
        assert read[name].dtype == value.dtype
        assert torch.equal(read[name], value)


def test_a_weight_beyond_half_precision_is_refused(settings, space, tmp_path):
    model = build_model(settings, space, build_tokenizer(settings.commands, 16))
    with torch.no_grad():
        model.language.embedding.weight[0, 0] = 1e5
    with pytest.raises(ExportError, match="language.embedding.weight has 100000.*65504"):
        write_checkpoint(model, build_tokenizer(settings.commands, 16), settings, {}, tmp_path)


def test_weights_of_zeros_give_zero_actions(settings, space, tmp_path, monkeypatch):
    monkeypatch.setattr("vla_learning.export.exporting.export_graphs", _no_graphs)
    export_run(settings, space, Path("none"), tmp_path, "zeros")
    backend = backends.create("torch", BackendOptions(threads=1))
    checkpoint = Checkpoint.load(tmp_path)
    backend.load(checkpoint)
    inputs = Inputs(
        np.full((1, 2, 32, 32, 3), 9, np.uint8),
        np.ones((1, 2), np.float32),
        np.ones((1, 4), np.float32),
    )
    answer = backend.forward(inputs, backend.encode_language(checkpoint.tokenizer.encode("pull")))
    assert not answer.actions.any()


def test_no_run_is_named(settings, space, tmp_path):
    with pytest.raises(TrainingError, match="training.safetensors: no such file"):
        export_run(settings, space, tmp_path / "none", tmp_path / "to")


def test_a_graph_that_differs_is_refused(settings, space, tmp_path, monkeypatch):
    from vla_learning.export import exporting

    monkeypatch.setattr(exporting, "_export", lambda *a: None)
    monkeypatch.setattr(exporting, "_difference", lambda *a: 0.5)
    model = build_model(settings, space, build_tokenizer(settings.commands, 16))
    with pytest.raises(ExportError, match="language.onnx differs from PyTorch by 0.5"):
        exporting.export_graphs(model, tmp_path)


def test_example_inputs_are_valid(settings, space):
    model = build_model(settings, space, build_tokenizer(settings.commands, 16)).eval()
    for seed in range(4):
        language, policy = example_inputs(model, seed)
        assert language[0].shape == (1, 16) and int(language[1]) == int(policy[4].sum())
        with torch.no_grad():
            assert all(x.isfinite().all() for x in model.act(*policy))


def _no_graphs(model, folder):
    for name in ("language.onnx", "policy.onnx"):
        (folder / name).write_bytes(b"")
