"""A checkpoint's policy graph in 8 bits: static (QDQ, calibrated on frames), and dynamic.

Needs onnx. The language branch stays in single precision: it runs once per command.
"""

from __future__ import annotations

import enum
import hashlib
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import yaml

from vla_contract.percentiles import percentile
from vla_learning.export import byte_input
from vla_learning.export.calibration import Feed
from vla_policy.checkpoint.checkpoint import CONFIG, POLICY_ONNX, Checkpoint

OUTPUTS = ["actions", "steps_logits"]


class QuantizeError(RuntimeError):
    """A graph that cannot be quantized; one line."""


class Method(enum.Enum):
    """How activations get their scales."""

    STATIC = "static"  # once, from frames
    DYNAMIC = "dynamic"  # at every inference


# Convolutions and linear layers are nearly all of the work. Attention, residual sums and LSTM in 8
# bits gain nothing and cost most of the error. ReLU and pooling have their bits from what they
# follow: without them each convolution would be rounded before its ReLU and after.
STATIC_OPERATORS = ("Conv", "Gemm", "Relu", "MaxPool")
DYNAMIC_OPERATORS = ("MatMul", "Gemm", "LSTM")


@dataclass(frozen=True)
class Difference:
    """Absolute difference of the normalised actions from the single precision graph's."""

    mean: float
    p99: float
    greatest: float


def quantize(
    source: bytes,
    to: Path,
    method: Method,
    feeds: Sequence[Feed],
    operators: Sequence[str] = (),
) -> None:
    """Write a quantized graph.

    operators: ONNX operator types to quantize; none: those of the method.

    Raises:
        QuantizeError: the graph is quantized already, or cannot be.
    """
    graph = onnx.load_from_string(source)
    if is_quantized(graph):
        raise QuantizeError("the graph is quantized already; accepted: one in single precision")
    del graph.graph.value_info[:]  # shapes that the quantizer would take for its own
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        logging.getLogger().setLevel(logging.ERROR)  # it advises preparing what is prepared
        try:
            if method is Method.STATIC:
                _static(graph, plain, to, feeds, list(operators or STATIC_OPERATORS))
            else:
                onnx.save(graph, plain)
                _dynamic(plain, to, list(operators or DYNAMIC_OPERATORS))
        except Exception as error:  # whatever the quantizer raises
            raise QuantizeError(
                f"{method.value}: cannot quantize: {' '.join(str(error).split())[:300]}"
            ) from error
    _forget_names_of_files(to)


def is_quantized(graph: Any) -> bool:
    """Whether an ONNX graph holds 8-bit operators."""
    kinds = ("QuantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeLSTM")
    return any(node.op_type in kinds for node in graph.graph.node)


class _Reader:
    """As ONNX Runtime's CalibrationDataReader."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def _static(
    graph: Any, source: Path, to: Path, feeds: Sequence[Feed], operators: list[str]
) -> None:
    from onnxruntime.quantization import (  # imports torch
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    if "Conv" in operators:
        byte_input.take_bytes(graph)
    onnx.save(graph, source)
    quantize_static(
        source,
        to,
        _Reader(feeds),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=operators,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        # Seven bits of a weight: x86 processors without VNNI add pairs of products in 16 bits,
        # which eight would overflow. So the sums are exact, and the same, everywhere.
        reduce_range=True,
        calibrate_method=CalibrationMethod.MinMax,
        # A linear layer's sums are given as floats, not rounded: what follows takes floats.
        extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
    )


def _dynamic(source: Path, to: Path, operators: list[str]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        to,
        op_types_to_quantize=operators,
        nodes_to_exclude=_stacked_products(source),
        per_channel=True,
        weight_type=QuantType.QInt8,
    )


def _stacked_products(path: Path) -> list[str]:
    """Names of matrix products with a stack of matrices, which take no scale for each channel."""
    graph = onnx.load(str(path)).graph
    stacks = {tensor.name for tensor in graph.initializer if len(tensor.dims) > 2}
    return [n.name for n in graph.node if n.op_type == "MatMul" and stacks & set(n.input)]


def _forget_names_of_files(path: Path) -> None:
    graph = onnx.load(str(path))
    graph.ClearField("doc_string")
    onnx.save(graph, str(path))


def difference(exact: bytes, approximate: bytes, feeds: Sequence[Feed]) -> Difference:
    """How far a graph's actions are from another's over the same inputs."""
    answers = [_answers(content, feeds) for content in (exact, approximate)]
    apart = np.abs(answers[0] - answers[1])
    return Difference(float(apart.mean()), percentile(apart.ravel(), 99), float(apart.max()))


def _answers(content: bytes, feeds: Sequence[Feed]) -> Any:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(OUTPUTS[:1], feed)[0] for feed in feeds])


def write_quantized(checkpoint: Checkpoint, graph: Path, to: Path, about: dict[str, Any]) -> None:
    """Write a checkpoint that runs another policy graph; `about` goes into its config.yaml."""
    assert checkpoint.folder is not None
    shutil.copytree(checkpoint.folder, to, dirs_exist_ok=True)
    shutil.copyfile(graph, to / POLICY_ONNX)
    config = yaml.safe_load((to / CONFIG).read_text(encoding="utf-8"))
    config["training"]["quantization"] = about
    config["files"][POLICY_ONNX] = hashlib.sha256((to / POLICY_ONNX).read_bytes()).hexdigest()
    text = yaml.safe_dump(config, sort_keys=False, width=100)
    (to / CONFIG).write_text(text, encoding="utf-8")
