"""The backend `tensorrt` without TensorRT and a GPU: what it says, and how it uses an engine."""

import ctypes
import operator
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from vla_policy import backends
from vla_policy.backends import BackendError, BackendOptions
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.policy_loading import load_policy
from vla_policy.engines import engine_command
from vla_policy.engines.engine_build import stored_engine
from vla_policy.engines.engine_cache import StoredEngine
from vla_policy.engines.engine_graphs import EngineGraph
from vla_policy.engines.engine_runner import EngineRunner
from vla_policy.policy_config import PolicyConfig

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")


@without_gpu
def test_without_a_gpu_the_line_says_so_and_names_the_command(checkpoint_folder):
    with pytest.raises(BackendError, match="no NVIDIA GPU is found here") as info:
        load_policy(PolicyConfig(checkpoint=str(checkpoint_folder), backend="tensorrt"))
    assert f"./vla build-engine --checkpoint {checkpoint_folder}" in str(info.value)
    assert "ros2 run vla_policy build_engine" in str(info.value)
    assert "\n" not in str(info.value)


@without_gpu
def test_it_is_not_offered_here():
    assert "tensorrt" not in backends.available()


@without_gpu
def test_the_command_fails_without_a_gpu(checkpoint_folder, capsys):
    assert engine_command.main(["--checkpoint", str(checkpoint_folder)]) == 1
    assert capsys.readouterr().err.startswith("build-engine: backend tensorrt: no NVIDIA GPU")


def test_no_engine_fails_at_once_and_names_the_command(checkpoint_folder, tmp_path, monkeypatch):
    checkpoint = Checkpoint.load(checkpoint_folder)
    vars(checkpoint)["files"] = {**checkpoint.files, "weights.safetensors": "0"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 7))
    tensorrt = SimpleNamespace(__version__="10.3.0")
    monkeypatch.setattr("vla_policy.engines.gpu_machine.require_tensorrt", lambda: tensorrt)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")  # where engines are not kept
    backend = backends.create("tensorrt", BackendOptions(engine_folder=str(tmp_path)))
    words = "for sm87 and TensorRT 10.3.0 in .*build it with: ./vla build-engine --checkpoint"
    with pytest.raises(BackendError, match=words):
        backend.load(checkpoint)


class Context:
    """Writes twice the first input's first number over the whole output."""

    def __init__(self):
        self.addresses = {}

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def execute_async_v3(self, stream):
        given = ctypes.cast(self.addresses["x"], ctypes.POINTER(ctypes.c_float))
        output = ctypes.cast(self.addresses["output0"], ctypes.POINTER(ctypes.c_float))
        for i in range(3):
            output[i] = 2.0 * given[0]
        return True


def fake_tensorrt(kind="FLOAT", readable=True):
    context = Context()
    engine = SimpleNamespace(
        create_execution_context=lambda: context,
        get_tensor_dtype=lambda name: SimpleNamespace(name=kind),
        get_tensor_shape=lambda name: (1, 3),
    )
    logger = type("Logger", (), {"WARNING": 1, "__init__": lambda self, level: None})
    runtime = SimpleNamespace(deserialize_cuda_engine=lambda content: engine if readable else None)
    return SimpleNamespace(Logger=logger, Runtime=lambda logger: runtime)


def test_an_engine_is_fed_and_read_by_names():
    stored = StoredEngine(b"", {"images": "x"}, {"actions": "output0"})
    runner = EngineRunner(fake_tensorrt(), stored, torch.device("cpu"))
    inputs = {"images": np.full((1, 3), 4.0, np.float32), "unused": np.zeros(1)}
    assert runner(inputs)["actions"].tolist() == [[8.0, 8.0, 8.0]]
    with pytest.raises(BackendError, match=r"images is \[1, 1\]; accepted: \[1, 3\]"):
        runner({"images": np.zeros((1, 1), np.float32)})


@pytest.mark.parametrize(
    ("fake", "words"),
    [(fake_tensorrt(readable=False), "cannot read the engine"), (fake_tensorrt("FP8"), "x is FP8")],
)
def test_an_engine_that_cannot_be_used(fake, words):
    with pytest.raises(BackendError, match=words):
        EngineRunner(fake, StoredEngine(b"", {"images": "x"}, {}), torch.device("cpu"))


def compiled(*engines, order=(0, 1)):
    outputs = [
        SimpleNamespace(op="call_function", target=operator.getitem, args=(None, i)) for i in order
    ]
    result = SimpleNamespace(op="output", args=(outputs,))
    return SimpleNamespace(modules=lambda: engines, graph=SimpleNamespace(nodes=[*outputs, result]))


def part(*inputs):
    return SimpleNamespace(
        serialized_engine=bytearray(b"engine"),
        input_binding_names=list(inputs),
        output_binding_names=["output0", "output1"],
    )


def test_the_engine_of_a_compiled_graph_with_its_names():
    graph = EngineGraph("policy", None, (), ("images", "state"), ("actions", "steps_logits"))
    stored = stored_engine(compiled(part("state", "images"), order=(1, 0)), graph)
    assert stored.content == b"engine"
    assert dict(stored.outputs) == {"actions": "output1", "steps_logits": "output0"}
    assert set(stored.inputs) == {"images", "state"}
    with pytest.raises(BackendError, match="became 2 engines; accepted: one"):
        stored_engine(compiled(part("state"), part("images")), graph)
    with pytest.raises(BackendError, match="wants other; accepted: images, state"):
        stored_engine(compiled(part("other")), graph)
