"""A checkpoint in 8 bits; the graph has convolutions and nothing learned."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

pytest.importorskip("onnx")

import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from vla_learning.evaluate.success_report import Episode
from vla_learning.export.byte_input import take_bytes
from vla_learning.export.calibration import calibration_feeds
from vla_learning.export.quantize_command import as_dict, make, report, single_precision
from vla_learning.export.quantizing import Method, QuantizeError, is_quantized, quantize
from vla_policy import backends
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_proof.test_support.tiny_checkpoints import write_checkpoint, write_config

TASKS = ("drawer-open", "window-open")


@pytest.fixture
def checkpoint(tmp_path, root):
    folder = write_checkpoint(
        tmp_path / "tiny", root / "config" / "action_spaces" / "metaworld.yaml", size=16
    )
    _with_a_convolution(folder)
    return Checkpoint.load(folder)


def _with_a_convolution(folder):
    """Let a convolution see the images first."""
    model = onnx.load(folder / "policy.onnx")
    graph = model.graph
    weights = np.random.default_rng(0).normal(0.0, 0.3, (3, 6, 3, 3)).astype(np.float32)
    weights = np.concatenate([weights, weights[::-1]])
    graph.initializer.extend(
        [
            numpy_helper.from_array(weights, "kernel"),
            numpy_helper.from_array(np.array([1, 6, 16, 16]), "stacked"),
            numpy_helper.from_array(np.array([1, 2, 16, 16, 3]), "apart"),
        ]
    )
    node = helper.make_node
    added = [
        node("Cast", ["images"], ["raw"], to=TensorProto.FLOAT),
        node("Reshape", ["raw", "stacked"], ["planes"]),
        node("Conv", ["planes", "kernel"], ["filtered"], pads=[1, 1, 1, 1]),
        node("Reshape", ["filtered", "apart"], ["pixels"]),
    ]
    kept = [n for n in graph.node if list(n.output) != ["pixels"]]
    del graph.node[:]
    graph.node.extend([*added, *kept])
    onnx.checker.check_model(model)
    onnx.save(model, folder / "policy.onnx")
    write_config(folder, yaml.safe_load((folder / "config.yaml").read_text()))


@pytest.fixture
def feeds(checkpoint):
    rng = np.random.default_rng(0)
    count = 40
    frames = SimpleNamespace(
        images=rng.integers(0, 256, (count, 2, 16, 16, 3), dtype=np.uint8),
        state=rng.normal(size=(count, 4)).astype(np.float32),
        task=np.array([0] * 30 + [1] * 10),
    )
    backend = backends.create("onnxruntime", backends.BackendOptions(threads=1))
    backend.load(checkpoint)

    def make_feeds(number, **options):
        return calibration_feeds(frames, TASKS, checkpoint, backend, number, **options)

    return make_feeds


def test_frames_are_balanced_over_tasks_and_the_same_for_a_seed(feeds, checkpoint):
    chosen = feeds(20)
    assert len(chosen) == 20
    drawer = checkpoint.tokenizer.encode("open the drawer")
    backend = backends.create("onnxruntime", backends.BackendOptions(threads=1))
    backend.load(checkpoint)
    sentence = backend.encode_language(drawer).sentence
    assert sum(np.array_equal(feed["sentence"], sentence) for feed in chosen) == 10
    for one, other in zip(chosen, feeds(20), strict=True):
        assert all(np.array_equal(one[name], other[name]) for name in one)
    masked = feeds(40, masked=1.0)
    assert all(feed["camera_mask"].sum() == 1.0 for feed in masked)
    assert all(not feed["images"][feed["camera_mask"] == 0.0].any() for feed in masked)


def test_weights_have_seven_bits_so_that_no_processor_overflows(checkpoint, feeds, tmp_path):
    quantize(checkpoint.read("policy.onnx"), tmp_path / "q.onnx", Method.STATIC, feeds(20))
    graph = onnx.load(tmp_path / "q.onnx").graph
    kernels = [
        numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(kernels) == 1 and np.abs(kernels[0].astype(int)).max() in (63, 64)


def test_both_methods_make_checkpoints_that_run_and_are_close(checkpoint, feeds, tmp_path):
    some = feeds(30)
    made = make(checkpoint, tmp_path / "q", some[:20], some[20:], list(Method), ())
    assert [q.method for q in made] == [Method.STATIC, Method.DYNAMIC]
    for q in made:
        quantized = Checkpoint.load(q.folder)
        assert is_quantized(onnx.load(q.folder / "policy.onnx"))
        backend = backends.create("onnxruntime", backends.BackendOptions(threads=1))
        backend.load(quantized)
        assert 0.0 < q.difference.mean <= q.difference.p99 <= q.difference.greatest < 0.5
    about = yaml.safe_load((made[0].folder / "config.yaml").read_text())
    assert about["training"]["quantization"]["frames"] == 20
    episodes = [Episode(TASKS[0], seed, "go", True, 9) for seed in range(3)]
    results = {"fp32": episodes, "static": episodes, "dynamic": episodes}
    assert "| static | 3/3 |" in report(checkpoint, made, results, 20)
    plain = json.loads(json.dumps(as_dict(checkpoint, made, results)))
    assert plain["paired"]["static"]["accepted"] is False
    assert b"/" + str(tmp_path).encode() not in (made[0].folder / "policy.onnx").read_bytes()


def test_a_graph_that_begins_otherwise_is_quantized_as_it_is(checkpoint):
    model = onnx.load_from_string(checkpoint.read("policy.onnx"))
    before = model.SerializeToString()
    assert not take_bytes(model)
    assert model.SerializeToString() == before


def beginning(pads, bias):
    """Images normalised and convolved as in an exported graph."""
    rng = np.random.default_rng(1)
    constants = {
        "rows": np.array([2, 8, 24]),
        "scale": np.tile(np.float32([0.017, 0.018, 0.019]), 8),
        "offset": np.tile(np.float32([-2.1, -2.0, -1.8]), 8),
        "pixels": np.array([2, 8, 8, 3]),
        "kernel": rng.normal(0.0, 0.3, (4, 3, 3, 3)).astype(np.float32),
        "bias": rng.normal(size=4).astype(np.float32),
    }
    node = helper.make_node
    convolution = ["planes", "kernel", *(["bias"] if bias else [])]
    nodes = [
        node("Reshape", ["images", "rows"], ["a"]),
        node("Cast", ["a"], ["b"], to=TensorProto.FLOAT),
        node("Mul", ["b", "scale"], ["c"]),
        node("Add", ["c", "offset"], ["d"]),
        node("Reshape", ["d", "pixels"], ["e"]),
        node("Transpose", ["e"], ["planes"], perm=[0, 3, 1, 2]),
        node("Conv", convolution, ["actions"], strides=[2, 2], **({"pads": pads} if pads else {})),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "beginning",
        [value("images", TensorProto.UINT8, [1, 2, 8, 8, 3])],
        [value("actions", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(content, name) for name, content in constants.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("pads", [None, [0, 0, 0, 0], [1, 1, 1, 1], [2, 0, 0, 1], [0, 3, 1, 0]])
def test_a_convolution_of_bytes_is_that_of_the_normalised_image(pads, bias):
    exact, rewritten = beginning(pads, bias), beginning(pads, bias)
    assert take_bytes(rewritten)
    assert not [node for node in rewritten.graph.node if node.op_type in ("Cast", "Mul", "Add")]
    images = np.random.default_rng(2).integers(0, 256, (1, 2, 8, 8, 3), dtype=np.uint8)
    answers = []
    for model in (exact, rewritten):
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        answers.append(session.run(None, {"images": images})[0])
    inside = (slice(None), slice(None), slice(2, -1), slice(2, -1))
    np.testing.assert_allclose(answers[1][inside], answers[0][inside], atol=1e-5)
    # Half a byte at the border, times the weights there.
    np.testing.assert_allclose(answers[1], answers[0], atol=0.0095 * 0.3 * 27)


def test_a_graph_is_quantized_once(checkpoint, feeds, tmp_path):
    once = tmp_path / "once.onnx"
    quantize(checkpoint.read("policy.onnx"), once, Method.STATIC, feeds(4))
    with pytest.raises(QuantizeError, match="quantized already"):
        quantize(once.read_bytes(), tmp_path / "twice.onnx", Method.STATIC, feeds(4))


def test_what_is_quantized_already_is_made_of_its_weights(checkpoint, feeds, tmp_path, monkeypatch):
    assert single_precision(checkpoint, tmp_path / "no") is checkpoint
    (made,) = make(checkpoint, tmp_path / "q", feeds(4), feeds(4), [Method.DYNAMIC], ())
    quantized = Checkpoint.load(made.folder)
    monkeypatch.setitem(sys.modules, "vla_learning.export.exporting", None)
    with pytest.raises(QuantizeError, match="quantized already; accepted: one in single precision"):
        single_precision(quantized, tmp_path)
