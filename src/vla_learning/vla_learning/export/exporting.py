"""A trained model as a checkpoint folder: ONNX, safetensors and everything that goes with them.

Needs torch, onnx and onnxscript.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import yaml
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import Tensor, nn

from vla_contract.action_space import ActionSpace
from vla_learning.export.byte_input import follow
from vla_learning.learning_settings import Settings
from vla_learning.train.tokenizer_fit import build_tokenizer
from vla_learning.train.training_runs import build_model, load_averaged
from vla_policy.checkpoint.checkpoint import CONFIG, FORMAT, LANGUAGE_ONNX, POLICY_ONNX, WEIGHTS
from vla_policy.checkpoint.tokenizer import Tokenizer
from vla_policy.model import LanguageGraph, PolicyGraph, PolicyOutput, VLAModel

OPSET = 18
LANGUAGE_NAMES = (("tokens", "word_count"), ("word_states", "sentence"))
POLICY_NAMES = (
    ("images", "camera_mask", "state", "word_states", "word_mask", "sentence"),
    PolicyOutput._fields,
)
TOLERANCE = 1e-3


class ExportError(RuntimeError):
    """An exported graph that does not compute what PyTorch does."""


@dataclass(frozen=True)
class ExportReport:
    """Largest absolute difference from PyTorch over random inputs, per graph."""

    language: float
    policy: float


def example_inputs(model: VLAModel, seed: int = 0) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Random inputs of both graphs, batch 1; the words of a random command of random length."""
    c = model.config
    g = torch.Generator().manual_seed(seed)
    count = int(torch.randint(1, c.max_words + 1, (1,), generator=g))
    tokens = torch.randint(2, max(3, c.vocabulary), (1, c.max_words), generator=g)
    tokens[:, count:] = 0
    word_count = torch.tensor([count])
    with torch.no_grad():
        word_states, sentence = model.language(tokens, word_count)
    images = torch.randint(
        0, 256, (1, c.cameras, c.height, c.width, 3), dtype=torch.uint8, generator=g
    )
    mask = torch.ones(1, c.cameras)
    mask[0, seed % c.cameras] = float(seed % 3 != 2)
    word_mask = (torch.arange(c.max_words)[None] < count).float()
    state = model.state_mean + model.state_std * torch.randn(1, c.state, generator=g)
    return (tokens, word_count), (images, mask, state, word_states, word_mask, sentence)


def export_graphs(model: VLAModel, folder: Path) -> ExportReport:
    """Write language.onnx and policy.onnx and compare them with the model.

    Raises:
        ExportError: a difference above `TOLERANCE`.
    """
    model = model.eval()
    language, policy = LanguageGraph(model).eval(), PolicyGraph(model).eval()
    arguments = example_inputs(model)
    _export(language, arguments[0], LANGUAGE_NAMES, folder / LANGUAGE_ONNX)
    _export(policy, arguments[1], POLICY_NAMES, folder / POLICY_ONNX)
    report = ExportReport(
        _difference(language, folder / LANGUAGE_ONNX, LANGUAGE_NAMES, model, 0),
        _difference(model.act, folder / POLICY_ONNX, POLICY_NAMES, model, 1),
    )
    for name, value in vars(report).items():
        if not value <= TOLERANCE:
            raise ExportError(
                f"{name}.onnx differs from PyTorch by {value:.2g}; accepted: {TOLERANCE}"
            )
    return report


def _export(
    graph: nn.Module, arguments: tuple[Tensor, ...], names: tuple[Any, Any], path: Path
) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            arguments,
            str(path),
            dynamo=True,
            opset_version=OPSET,
            input_names=list(names[0]),
            output_names=list(names[1]),
            external_data=False,
            verbose=False,
        )
    model = onnx.load(str(path))
    _forget_origins(model)
    _order_gelu(model)
    onnx.save(model, str(path))


def _forget_origins(model: Any) -> None:
    """Take out of an ONNX model where each node came from: stack traces with paths."""
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]


def _order_gelu(model: Any) -> None:
    """Let x (0.5 (1 + erf)) be 0.5 (x (1 + erf)), which ONNX Runtime computes as one operator.

    A half is a power of two: not a bit of the result is another.
    """
    graph = model.graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for erf in [node for node in graph.node if node.op_type == "Erf"]:
        found = follow(graph, erf.output[0], ("Add", "Mul", "Mul"))
        if found is None:
            continue
        added, half, last = found
        factor = 1 - list(half.input).index(added.output[0])
        value = 1 - list(last.input).index(half.output[0])
        if np.array_equal(constants.get(half.input[factor], 0.0), 0.5):
            half.input[factor], last.input[value] = last.input[value], half.input[factor]


def _difference(
    exact: Callable[..., Any], path: Path, names: tuple[Any, Any], model: VLAModel, which: int
) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for seed in range(8):
        arguments = example_inputs(model, seed)[which]
        with torch.no_grad():
            expected = exact(*arguments)
        feed = {n: a.numpy() for n, a in zip(names[0], arguments, strict=True)}
        for mine, theirs in zip(expected, session.run(list(names[1]), feed), strict=True):
            if np.isnan(mine.numpy()).all() and np.isnan(theirs).all():
                continue  # a confidence that is not given
            worst = max(worst, float(np.abs(mine.numpy() - theirs).max()))
    return worst


def export_run(
    settings: Settings, space: ActionSpace, run: Path, folder: Path, weights: str = "trained"
) -> ExportReport:
    """Export the averaged weights of a run, or a model of its shape that has learned nothing.

    weights: "trained", "random" (as initialised) or "zeros".

    Raises:
        ExportError: ONNX and PyTorch differ. TrainingError: no such run, or of another config.
    """
    if weights == "trained":
        model, about = load_averaged(settings, space, run)
    else:
        torch.manual_seed(0)
        tokenizer = build_tokenizer(settings.commands, settings.max_words)
        model, about = build_model(settings, space, tokenizer), {"weights": weights}
        if weights == "zeros":
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.zero_()
    tokenizer = build_tokenizer(settings.commands, settings.max_words)
    return write_checkpoint(model, tokenizer, settings, about, folder)


def write_checkpoint(
    model: VLAModel,
    tokenizer: Tokenizer,
    settings: Settings,
    training: dict[str, Any],
    folder: Path,
) -> ExportReport:
    """Write a whole checkpoint folder but its README; `training` is stored in config.yaml.

    The model's weights are rounded to half precision first, in place: those of WEIGHTS and those
    of the graphs, which compute in single precision, are the same numbers.

    Raises:
        ExportError: ONNX and PyTorch differ, or a weight that half precision cannot hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    halves = round_to_half(model)
    report = export_graphs(model, folder)
    weights = {
        name: (value.half() if name in halves else value).detach().contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(weights, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes files that only their owner can read
    _write_json(folder / "tokenizer.json", {"words": list(tokenizer.words)})
    _write_json(
        folder / "normalisation.json",
        {
            "state": {
                "names": list(settings.state_names),
                "mean": model.state_mean.tolist(),
                "std": model.state_std.tolist(),
            }
        },
    )
    shutil.copyfile(settings.action_space, folder / "action_space.yaml")
    graphs = (LANGUAGE_ONNX, POLICY_ONNX, WEIGHTS)
    names = (*graphs, "tokenizer.json", "normalisation.json", "action_space.yaml")
    config = {
        "format": FORMAT,
        "name": settings.name,
        "cameras": list(settings.cameras),
        "image": {"height": settings.height, "width": settings.width},
        "state_names": list(settings.state_names),
        "max_words": settings.max_words,
        "action_space": "action_space.yaml",
        "tokenizer": "tokenizer.json",
        "architecture": model.config.to_dict(),
        "training": {**training, "settings": dict(settings.source)},
        "commands": {task: list(words) for task, words in settings.commands.items()},
        "files": {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names},
    }
    text = yaml.safe_dump(config, sort_keys=False, width=100)
    (folder / CONFIG).write_text(text, encoding="utf-8")
    return report


@torch.no_grad()
def round_to_half(model: nn.Module) -> frozenset[str]:
    """Round every parameter; returns their names. Statistics and normalisation stay as they are."""
    for name, parameter in model.named_parameters():
        rounded = parameter.half().float()
        if not bool(rounded.isfinite().all()):
            raise ExportError(f"{name} has {float(parameter.abs().max())}; accepted: up to 65504")
        parameter.copy_(rounded)
    return frozenset(name for name, _ in model.named_parameters())


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
