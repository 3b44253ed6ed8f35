"""The ONNX graphs of the tests' tiny checkpoints. Needs the Python package `onnx`."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HIDDEN = 8
CELLS = 16  # of a camera, four by four


class Weights:
    """Named random weights, collected as a graph's initializers."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._made: list[Any] = []

    def normal(self, name: str, *shape: int) -> str:
        """Add normally distributed numbers; returns their name."""
        return self.value(name, self._random.normal(0.0, 0.5, shape).astype(np.float32))

    def value(self, name: str, array: Any) -> str:
        """Add these numbers; returns their name."""
        self._made.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def take(self) -> list[Any]:
        """What was added since the last graph."""
        made, self._made = self._made, []
        return made


def _model(name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any], w: Weights) -> Any:
    graph = helper.make_graph(nodes, name, inputs, outputs, w.take())
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    return model


def _tensor(name: str, kind: int, *shape: int | str) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def language(w: Weights, vocabulary: int, words: int) -> Any:
    """Embedding; the sentence is the sum over the words."""
    node = helper.make_node
    nodes = [
        node("Gather", [w.normal("embedding", vocabulary, HIDDEN), "tokens"], ["word_states"]),
        node("ReduceSum", ["word_states", w.value("axis", [1])], ["sum"], keepdims=0),
        node("Cast", ["word_count"], ["count"], to=TensorProto.FLOAT),
        node("Div", ["sum", "count"], ["sentence"]),
    ]
    inputs = [
        _tensor("tokens", TensorProto.INT64, 1, words),
        _tensor("word_count", TensorProto.INT64, 1),
    ]
    outputs = [
        _tensor("word_states", TensorProto.FLOAT, 1, words, HIDDEN),
        _tensor("sentence", TensorProto.FLOAT, 1, HIDDEN),
    ]
    return _model("language", nodes, inputs, outputs, w)


def policy(
    w: Weights,
    sizes: tuple[int, int, int, int],
    chunk: tuple[int, int],
    steps_left: int,
    raises_at: float | None,
    confidence: float | None = None,
    batch: int | str = 1,
) -> Any:
    """Tanh of a linear map of mean colours, state and sentence.

    Args:
        w: where the weights come from.
        sizes: cameras, side of an image in pixels, states, words.
        chunk: rows and width of the actions.
        steps_left: what it says of the steps to the end.
        raises_at: the first state value that makes it fail; None: none does.
        confidence: what it gives for every answer; None: no such output.
        batch: observations at a time; a name: as many as are given.
    """
    cameras, size, states, words = sizes
    rows, width = chunk
    features = cameras * 3 + states + HIDDEN
    node = helper.make_node
    nodes = [
        node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        node("ReduceMean", ["pixels", w.value("axes", [2, 3])], ["colours"], keepdims=0),
        node("Div", ["colours", w.value("white", np.float32(255.0))], ["scaled"]),
        node("Unsqueeze", ["camera_mask", w.value("last", [2])], ["mask"]),
        node("Mul", ["scaled", "mask"], ["masked"]),
        node("Reshape", ["masked", w.value("flat", [-1, cameras * 3])], ["seen"]),
        node("ReduceMean", ["word_states", w.value("words_axis", [1])], ["words"], keepdims=0),
        node("Add", ["words", "sentence"], ["meaning"]),
        node("Concat", ["seen", "state", "meaning"], ["features"], axis=1),
        node("MatMul", ["features", w.normal("map", features, rows * width)], ["mapped"]),
        node("Tanh", ["mapped"], ["bounded"]),
        node("Reshape", ["bounded", w.value("chunk", [-1, rows, width])], ["whole"]),
        node("ReduceMean", ["camera_mask", w.value("cameras", [1])], ["share_valid"], keepdims=1),
        node("Mul", ["share_valid", w.value("none", np.float32(0.0))], ["of_each"]),
        node("Add", ["of_each", w.value("logits", _logits(rows, steps_left))], ["steps_logits"]),
        node("Identity", [w.value("looks", _looks(words, cameras))], ["attention"]),
    ]
    nodes += (
        [node("Identity", ["whole"], ["actions"])] if raises_at is None else _faults(w, raises_at)
    )
    inputs = [
        _tensor("images", TensorProto.UINT8, batch, cameras, size, size, 3),
        _tensor("camera_mask", TensorProto.FLOAT, batch, cameras),
        _tensor("state", TensorProto.FLOAT, batch, states),
        _tensor("word_states", TensorProto.FLOAT, batch, words, HIDDEN),
        _tensor("word_mask", TensorProto.FLOAT, batch, words),
        _tensor("sentence", TensorProto.FLOAT, batch, HIDDEN),
    ]
    outputs = [
        _tensor("actions", TensorProto.FLOAT, batch, rows, width),
        _tensor("steps_logits", TensorProto.FLOAT, batch, rows + 1),
        _tensor("attention", TensorProto.FLOAT, 1, words, CELLS * cameras),
    ]
    if confidence is not None:
        value = w.value("sure", np.array([confidence], dtype=np.float32))
        nodes.append(node("Add", ["of_each", value], ["confidence"]))
        outputs.append(_tensor("confidence", TensorProto.FLOAT, batch, 1))
    return _model("policy", nodes, inputs, outputs, w)


def _looks(words: int, cameras: int) -> Any:
    """Each word at a cell of its own, of the first camera."""
    cells = np.eye(words, CELLS * cameras, dtype=np.float32)
    return cells[np.newaxis]


def _logits(rows: int, steps_left: int) -> Any:
    logits = np.zeros((1, rows + 1), dtype=np.float32)
    logits[0, steps_left] = 20.0
    return logits


def _faults(w: Weights, raises_at: float) -> list[Any]:
    # Adds 0, except that the index is out of range, or the root not real, for those states.
    node = helper.make_node
    return [
        node("Gather", ["state", w.value("first", np.int64(0))], ["value"], axis=1),
        node("Div", ["value", w.value("raise_at", np.float32(raises_at))], ["share"]),
        node("Cast", ["share"], ["index"], to=TensorProto.INT64),
        node("Gather", [w.value("one_zero", np.zeros(1, np.float32)), "index"], ["zero"]),
        node("Add", ["value", w.value("one", np.float32(1.0))], ["above"]),
        node("Sqrt", ["above"], ["root"]),
        node("Mul", ["root", "zero"], ["nothing_each"]),
        node("Reshape", ["nothing_each", w.value("of_rows", [-1, 1, 1])], ["nothing"]),
        node("Add", ["whole", "nothing"], ["actions"]),
    ]
