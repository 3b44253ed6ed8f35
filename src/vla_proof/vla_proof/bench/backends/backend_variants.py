"""Which rows `./vla bench backends` has: the backends that are installed, fp32 and in 8 bits."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file

from vla_learning.export.calibration import Feed
from vla_learning.export.exporting import export_graphs
from vla_learning.export.quantize_command import make
from vla_learning.export.quantizing import Method
from vla_policy import backends
from vla_policy.backends import BackendError, Inputs
from vla_policy.backends.torch_module import load_model
from vla_policy.checkpoint.checkpoint import CONFIG, LANGUAGE_ONNX, POLICY_ONNX, WEIGHTS, Checkpoint
from vla_policy.model import VLAModel
from vla_proof.bench.backends.backend_bench import Variant

EAGER = "torch eager"
ONNX = "onnxruntime fp32"
INT8 = "onnxruntime int8"
GRAPHS = (LANGUAGE_ONNX, POLICY_ONNX)


def fp32_variants(checkpoint: Checkpoint, *, compiled: bool) -> list[Variant]:
    """Eager PyTorch first, which the others are compared with."""
    assert checkpoint.folder is not None
    eager = Variant(EAGER, checkpoint.folder, "torch", (WEIGHTS,))
    found = [eager]
    if compiled:
        found.append(replace(eager, name="torch compiled", torch_mode="compiled"))
    found.append(Variant(ONNX, checkpoint.folder, "onnxruntime", GRAPHS))
    return found


def int8_variants(
    given: Checkpoint, single: Checkpoint, frames: Sequence[Inputs], to: Path
) -> list[Variant]:
    """The given checkpoint where it is in 8 bits, else both methods, calibrated on the frames."""
    assert given.folder is not None
    if given is not single:
        return [Variant(f"{INT8} (shipped)", given.folder, "onnxruntime", GRAPHS)]
    backend = backends.create("onnxruntime", backends.BackendOptions())
    backend.load(single)
    feeds = _feeds(single, backend, frames)
    made = make(single, to, feeds, feeds[:8], list(Method), ())
    return [Variant(f"{INT8} {q.method.value}", q.folder, "onnxruntime", GRAPHS) for q in made]


def _feeds(
    checkpoint: Checkpoint, backend: backends.Backend, frames: Sequence[Inputs]
) -> list[Feed]:
    wordings = [text for texts in checkpoint.commands.values() for text in texts]
    found = []
    for i, frame in enumerate(frames):
        tokens = checkpoint.tokenizer.encode(wordings[i % len(wordings)])
        found.append({**vars(frame), **vars(backend.encode_language(tokens))})
    return found


def gpu_variant(checkpoint: Checkpoint) -> Variant | str:
    """TensorRT where there is a GPU and an engine; else why it is left out, in one line."""
    assert checkpoint.folder is not None
    variant = Variant("tensorrt", checkpoint.folder, "tensorrt", (WEIGHTS,))
    try:
        variant.load()
    except BackendError as error:
        return str(error)
    return variant


def with_cameras(checkpoint: Checkpoint, count: int, to: Path) -> list[Variant]:
    """The same architecture with another number of cameras and random weights, exported."""
    assert checkpoint.folder is not None
    shutil.copytree(checkpoint.folder, to)
    config = replace(load_model(checkpoint).config, cameras=count)
    torch.manual_seed(0)
    model = VLAModel(config).eval()
    export_graphs(model, to)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, to / WEIGHTS)
    data = yaml.safe_load((to / CONFIG).read_text(encoding="utf-8"))
    data["cameras"] = [f"camera{i}" for i in range(count)]
    data["architecture"] = config.to_dict()
    data["files"] = {
        name: hashlib.sha256((to / name).read_bytes()).hexdigest() for name in data["files"]
    }
    (to / CONFIG).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    variants = fp32_variants(Checkpoint.load(to), compiled=False)
    return [replace(v, name=f"{v.name}, {count} cameras") for v in variants]
