"""Builds the engines of a checkpoint; minutes on a robot, so never but by its own command."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vla_policy.backends.backend import BackendError
from vla_policy.backends.torch_module import load_model
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.engines import engine_cache, gpu_machine
from vla_policy.engines.compile_options import BuildOptions, compile_options
from vla_policy.engines.engine_cache import StoredEngine
from vla_policy.engines.engine_graphs import EngineGraph, export_engines
from vla_policy.engines.engine_runner import EngineRunner

GREATEST_DIFFERENCE = {True: 0.05, False: 0.005}  # by whether layers are in half precision

Say = Callable[[str], None]


def build(checkpoint: Checkpoint, root: Path, options: BuildOptions, say: Say) -> Path:
    """Build, check against PyTorch and keep both engines; returns their folder.

    say: called with a line for every step.

    Raises:
        BackendError, CheckpointError: one line; nothing is kept.
    """
    gpu_machine.require_gpu(checkpoint)
    tensorrt = gpu_machine.require_tensorrt()
    torch_tensorrt = _torch_tensorrt()
    key = gpu_machine.key_of(checkpoint, tensorrt)
    say(f"{torch.cuda.get_device_name()} ({key.architecture}), TensorRT {key.tensorrt}")
    begin = time.monotonic()
    model = load_model(checkpoint).to("cuda")
    root.mkdir(parents=True, exist_ok=True)
    asked = compile_options(torch_tensorrt.dynamo.compile, options, root / "timing.cache")
    engines, differences = {}, {}
    reference = export_engines(model, half=False)
    for graph, exact in zip(export_engines(model, half=options.half), reference, strict=True):
        say(f"{graph.name}: TensorRT tries kernels; this takes minutes")
        engines[graph.name] = _compile(torch_tensorrt, graph, asked)
        runner = EngineRunner(tensorrt, engines[graph.name], torch.device("cuda"))
        differences[graph.name] = _difference(runner, exact)
        say(f"{graph.name}: differs from PyTorch by at most {differences[graph.name]:.2g}")
        _require_close(graph.name, differences[graph.name], options)
    about = {
        "checkpoint": checkpoint.name,
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "torch_tensorrt": torch_tensorrt.__version__,
        "options": asdict(options),
        "difference": differences,
        "seconds": round(time.monotonic() - begin, 1),
    }
    return engine_cache.save(root, key, engines, about)


def _torch_tensorrt() -> Any:
    try:
        import torch_tensorrt
    except Exception as error:  # it raises bare exceptions where a library is missing
        raise BackendError(
            f"torch_tensorrt cannot be loaded: {' '.join(str(error).split())[:200]}; accepted: the "
            f"release that goes with PyTorch {torch.__version__}"
        ) from error
    return torch_tensorrt


def _compile(torch_tensorrt: Any, graph: EngineGraph, asked: dict[str, Any]) -> StoredEngine:
    try:
        compiled = torch_tensorrt.dynamo.compile(
            graph.program, arg_inputs=list(graph.example), **asked
        )
    except Exception as error:  # whatever a compiler raises
        raise BackendError(
            f"{graph.name}: TensorRT cannot build it: {' '.join(str(error).split())[:300]}"
        ) from error
    return stored_engine(compiled, graph)


def stored_engine(compiled: Any, graph: EngineGraph) -> StoredEngine:
    """The one engine of a compiled graph; raises BackendError where there are more, or none."""
    parts = [m for m in compiled.modules() if getattr(m, "serialized_engine", None)]
    if len(parts) != 1:
        raise BackendError(f"{graph.name}: became {len(parts)} engines; accepted: one")
    engine = parts[0]
    unknown = [name for name in engine.input_binding_names if name not in graph.inputs]
    if unknown:
        raise BackendError(
            f"{graph.name}: the engine wants {', '.join(unknown)}; accepted: "
            f"{', '.join(graph.inputs)}"
        )
    outputs = [engine.output_binding_names[i] for i in _output_order(compiled)]
    return StoredEngine(
        bytes(engine.serialized_engine),
        {name: name for name in engine.input_binding_names},
        dict(zip(graph.outputs, outputs, strict=True)),
    )


def _output_order(compiled: Any) -> list[int]:
    """Which of the engine's outputs each of the graph's outputs is."""
    result = next(node for node in compiled.graph.nodes if node.op == "output").args[0]
    nodes = result if isinstance(result, (tuple, list)) else [result]
    return [int(n.args[1]) if n.target is operator.getitem else 0 for n in nodes]


def _difference(runner: EngineRunner, graph: EngineGraph) -> float:
    """Largest difference of an engine from the graph in single precision, over random inputs."""
    worst = 0.0
    module = graph.program.module()
    for seed in range(4):
        inputs = _random_inputs(graph, seed)
        with torch.no_grad():
            expected = module(*inputs)
        given = {name: x.cpu().numpy() for name, x in zip(graph.inputs, inputs, strict=True)}
        found = runner(given)
        for name, value in zip(graph.outputs, expected, strict=True):
            both = found[name], value.float().cpu().numpy()
            if not np.allclose(np.isnan(both[0]), np.isnan(both[1])):
                return math.inf  # a model without a confidence says NaN, and nothing else may
            worst = max(worst, float(np.abs(np.nan_to_num(both[0]) - np.nan_to_num(both[1])).max()))
    return worst


def _random_inputs(graph: EngineGraph, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    made = []
    for name, x in zip(graph.inputs, graph.example, strict=True):
        if name == "images":
            value = torch.randint(0, 256, x.shape, generator=generator).to(x.dtype)
        elif name in ("word_states", "sentence", "state"):
            value = torch.randn(x.shape, generator=generator)
        else:  # masks, tokens, counts: as they are in the example
            value = x.cpu()
        made.append(value.to(x.device))
    return made


def _require_close(name: str, difference: float, options: BuildOptions) -> None:
    most = GREATEST_DIFFERENCE[options.half]
    if not difference <= most:
        raise BackendError(
            f"{name}: the engine differs from PyTorch by {difference:.2g}; accepted: {most}; "
            "try --single"
        )
