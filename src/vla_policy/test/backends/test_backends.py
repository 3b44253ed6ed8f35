from pathlib import Path

import numpy as np
import pytest
import yaml

from vla_policy import backends
from vla_policy.backends import BackendError, BackendOptions, Inputs
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_proof.test_support.tiny_checkpoints import write_checkpoint, write_config


def inputs(**changes):
    values = {
        "images": np.full((1, 2, 96, 96, 3), 60, dtype=np.uint8),
        "camera_mask": np.ones((1, 2), dtype=np.float32),
        "state": np.zeros((1, 4), dtype=np.float32),
    }
    return Inputs(**{**values, **changes})


@pytest.fixture
def loaded(checkpoint_folder):
    checkpoint = Checkpoint.load(checkpoint_folder)
    backend = backends.create("onnxruntime", BackendOptions(threads=1))
    backend.load(checkpoint)
    return checkpoint, backend


def test_unknown_backend_names_the_accepted_ones():
    with pytest.raises(BackendError, match="'abacus' is unknown; accepted here: onnxruntime"):
        backends.create("abacus", BackendOptions())


def test_a_server_is_no_backend_of_a_checkpoint():
    with pytest.raises(BackendError, match="'remote' runs no checkpoint; accepted here: onnx") as e:
        backends.create("remote", BackendOptions())
    assert e.value.args[0].count("remote") == 1


def test_a_backend_that_is_not_installed_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    assert backends.available() == ("constant",)
    with pytest.raises(BackendError, match="package torch and safetensors.*here: constant"):
        backends.create("torch", BackendOptions())


def test_every_input_counts(loaded):
    checkpoint, backend = loaded
    drawer = backend.encode_language(checkpoint.tokenizer.encode("open the drawer"))
    window = backend.encode_language(checkpoint.tokenizer.encode("open the window"))
    assert drawer.word_states.shape[:2] == drawer.word_mask.shape == (1, 16)
    assert drawer.word_mask.sum() == 3
    actions = backend.forward(inputs(), drawer).actions
    assert actions.shape == (32, 4)
    assert (actions == backend.forward(inputs(), drawer).actions).all()
    one_camera = np.array([[1.0, 0.0]], dtype=np.float32)
    for other, language in (
        (inputs(), window),
        (inputs(camera_mask=one_camera), drawer),
        (inputs(state=np.ones((1, 4), dtype=np.float32)), drawer),
        (inputs(images=np.zeros((1, 2, 96, 96, 3), dtype=np.uint8)), drawer),
    ):
        assert not np.allclose(actions, backend.forward(other, language).actions)


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("cameras", ["one"], r"input 'images' is uint8\[1, 2, 96, 96, 3\]; accepted: uint8\[1, 1,"),
        ("image", {"height": 64, "width": 96}, r"accepted: uint8\[1, 2, 64, 96, 3\]"),
        ("state_names", ["a"], r"input 'state' is float\[1, 4\]; accepted: float\[1, 1\]"),
        ("max_words", 3, r"language.onnx: input 'tokens' is int64\[1, 16\]; accepted: int64\[1, 3"),
    ],
)
def test_a_model_that_does_not_fit_its_config(checkpoint_folder, entry, value, words):
    config = yaml.safe_load((checkpoint_folder / "config.yaml").read_text())
    write_config(checkpoint_folder, {**config, entry: value})
    backend = backends.create("onnxruntime", BackendOptions())
    with pytest.raises(BackendError, match=words):
        backend.load(Checkpoint.load(checkpoint_folder))


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_file_that_is_not_the_model(checkpoint_folder, content):
    config = yaml.safe_load((checkpoint_folder / "config.yaml").read_text())
    other = (checkpoint_folder / "language.onnx").read_bytes()
    (checkpoint_folder / "policy.onnx").write_bytes(other if content is None else content)
    write_config(checkpoint_folder, config)
    with pytest.raises(BackendError, match="policy.onnx") as info:
        backends.create("onnxruntime", BackendOptions()).load(Checkpoint.load(checkpoint_folder))
    assert "\n" not in str(info.value)


def test_a_provider_that_is_not_installed(checkpoint_folder):
    backend = backends.create("onnxruntime", BackendOptions(providers=("Magic",)))
    with pytest.raises(BackendError, match="'Magic' is not in this .* CPUExecutionProvider"):
        backend.load(Checkpoint.load(checkpoint_folder))


def test_a_provider_that_is_installed_but_cannot_be_loaded(checkpoint_folder, monkeypatch):
    from vla_policy.backends import onnx_runtime

    # What ONNX Runtime does without a GPU: it warns, and goes on with the CPU.
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnx_runtime.onnxruntime, "get_available_providers", lambda: names)
    session = onnx_runtime.onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnx_runtime.onnxruntime,
        "InferenceSession",
        lambda *given, providers, **more: session(*given, providers=names[1:], **more),
    )
    backend = backends.create("onnxruntime", BackendOptions(providers=tuple(names)))
    with pytest.raises(BackendError, match="CUDAExecutionProvider is in this .*cannot be loaded"):
        backend.load(Checkpoint.load(checkpoint_folder))


def test_the_tensorrt_provider_builds_nothing_of_its_own_accord(tmp_path, monkeypatch):
    from vla_policy.backends.onnx_runtime import tensorrt_options

    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # where engines are not kept
    options = BackendOptions(engine_folder=str(tmp_path))
    with pytest.raises(BackendError, match="has no engine.*./vla build-engine --onnxruntime"):
        tensorrt_options(options, "a" * 64)
    building = BackendOptions(engine_folder=str(tmp_path), build_engines=True)
    folder = Path(tensorrt_options(building, "a" * 64)["trt_engine_cache_path"])
    assert folder.parent == tmp_path
    folder.mkdir()
    (folder / "some_sm87.engine").touch()
    assert tensorrt_options(options, "a" * 64)["trt_fp16_enable"] is True


def test_a_confidence_is_taken_where_the_model_gives_one():
    outputs = {"actions": np.zeros((1, 2, 4)), "steps_logits": np.zeros((1, 3))}
    assert np.isnan(backends.backend.prediction(outputs).confidence)
    assert backends.backend.prediction({**outputs, "confidence": np.array([0.5])}).confidence == 0.5


def test_constant(space):
    checkpoint = Checkpoint.without_weights(space)
    backend = backends.create("constant", BackendOptions(constant_action=(0.5, 0.0, -0.5, 1.0)))
    backend.load(checkpoint)
    language = backend.encode_language(checkpoint.tokenizer.encode("anything"))
    prediction = backend.forward(inputs(), language)
    assert prediction.actions[7].tolist() == [0.5, 0.0, -0.5, 1.0]
    assert prediction.steps_logits.argmax() == space.chunk_length
    wrong = backends.create("constant", BackendOptions(constant_action=(0.0, 0.0)))
    with pytest.raises(BackendError, match="accepted: 1, or 4"):
        wrong.load(checkpoint)


def test_same_seed_same_model(tmp_path, action_space_file):
    pytest.importorskip("onnx")
    first = write_checkpoint(tmp_path / "a", action_space_file, seed=3)
    second = write_checkpoint(tmp_path / "b", action_space_file, seed=3)
    assert (first / "policy.onnx").read_bytes() == (second / "policy.onnx").read_bytes()


def test_openvino_answers_as_onnx_runtime_does(checkpoint_folder):
    pytest.importorskip("openvino")
    checkpoint = Checkpoint.load(checkpoint_folder)
    size = (1, 2, checkpoint.image_height, checkpoint.image_width, 3)
    images = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    state = np.full((1, 4), 0.3, np.float32)
    inputs = Inputs(images, np.ones((1, 2), np.float32), state)
    found = []
    for name in ("onnxruntime", "openvino"):
        backend = backends.create(name, BackendOptions(threads=1))
        backend.load(checkpoint)
        language = backend.encode_language(checkpoint.tokenizer.encode("open the drawer"))
        found.append(backend.forward(inputs, language))
    np.testing.assert_allclose(found[0].actions, found[1].actions, atol=1e-4)
    np.testing.assert_allclose(found[0].steps_logits, found[1].steps_logits, atol=1e-4)
