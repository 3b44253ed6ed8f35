"""The first convolution of a policy graph on the image's own bytes, before it is quantized.

An exported graph turns bytes into normalised floats, which quantization would turn into bytes
again: five passes over the largest tensor, and a rounding. Here the bytes are what quantization
calls an 8-bit tensor, with a scale and a zero point; what the normalisation does differently for
each channel goes into the convolution's weights and bias.

Needs onnx.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper, numpy_helper

INPUT = "images"
BYTES = "image_bytes"
NORMALISATION = ("Reshape", "Cast", "Mul", "Add", "Reshape", "Transpose")

Constants = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class _Normalisation:
    """How an exported graph begins: a normalisation x = scale * u + offset, and a convolution.

    scale, offset: (3,), by channel.
    """

    nodes: list[Any]
    convolution: Any
    scale: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]


def take_bytes(model: Any) -> bool:
    """Rewrite a graph in place so that its first convolution takes the dequantized bytes.

    With x = a_c u + o_c for a pixel's byte u of channel c, and x' = s (u - z):

        W x + b = sum_c W_c (a_c / s) x' + b + sum_c W_c (a_c z + o_c)

    The convolution pads with x = 0. As bytes that is -o_c / a_c, rounded, and is put around the
    image: at most a_c / 2 from zero, 0.009 for the statistics of ImageNet.

    The quantizer takes s and z from the DequantizeLinear that makes x'.

    Returns:
        Whether the graph begins as an exported one; nothing is changed where it does not.
    """
    graph = model.graph
    constants = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    found = _find_normalisation(graph, constants)
    if found is None:
        return False
    convolution = found.convolution
    black = -found.offset / found.scale  # the bytes that are normalised to zero
    zero, step = round(float(black.mean())), float(found.scale.mean())
    weight = constants[convolution.input[1]].astype(np.float64)
    shift = zero * found.scale + found.offset
    bias = (weight * shift[:, None, None]).sum((1, 2, 3))
    if len(convolution.input) > 2:  # none where a normalisation follows
        bias = bias + constants[convolution.input[2]]
    weight = weight * (found.scale / step)[:, None, None]

    images = next(each for each in graph.input if each.name == INPUT)
    shape = [each.dim_value for each in images.type.tensor_type.shape.dim][1:]
    names = [INPUT, _constant(graph, "shape", np.array(shape, np.int64))]
    nodes = [helper.make_node("Reshape", names, ["image_rows"])]
    name = _pad(graph, nodes, convolution, shape, np.rint(black).astype(np.uint8))
    names = [
        "image_planes",
        _constant(graph, "scale", np.array(step, np.float32)),
        _constant(graph, "zero_point", np.array(zero, np.uint8)),
    ]
    nodes += [
        helper.make_node("Transpose", [name], ["image_planes"], perm=[0, 3, 1, 2]),
        helper.make_node("DequantizeLinear", names, [BYTES]),
    ]
    convolution.input[:] = [
        BYTES,
        _constant(graph, "weight", weight.astype(np.float32)),
        _constant(graph, "bias", bias.astype(np.float32)),
    ]
    _replace(graph, found.nodes, nodes)
    return True


def follow(graph: Any, name: str, kinds: Sequence[str]) -> list[Any] | None:
    """The nodes of these kinds that a tensor goes through one after the other, and nowhere else.

    None where another kind follows, or several nodes do.
    """
    nodes: list[Any] = []
    for kind in kinds:
        users = [node for node in graph.node if name in node.input]
        if [node.op_type for node in users] != [kind]:
            return None
        nodes += users
        name = users[0].output[0]
    return nodes


def _find_normalisation(graph: Any, constants: Constants) -> _Normalisation | None:
    found = follow(graph, INPUT, (*NORMALISATION, "Conv"))
    if found is None:
        return None
    *nodes, convolution = found
    scale, offset = (_of_channels(node, constants) for node in nodes[2:4])
    if scale is None or offset is None or not set(convolution.input[1:]) <= set(constants):
        return None
    return _Normalisation(nodes, convolution, scale, offset)


def _of_channels(node: Any, constants: Constants) -> npt.NDArray[np.float64] | None:
    """The three numbers that a row of pixels is multiplied with, or that are added to it."""
    for name in node.input:
        if name in constants and constants[name].size % 3 == 0:
            pixels = constants[name].astype(np.float64).reshape(-1, 3)
            return pixels[0] if bool((pixels == pixels[0]).all()) else None
    return None


def _pad(
    graph: Any, nodes: list[Any], convolution: Any, shape: list[int], colour: npt.NDArray[np.uint8]
) -> str:
    """Put a colour around the images, and no zeros; returns the tensor's name."""
    pads = next((each for each in convolution.attribute if each.name == "pads"), None)
    top, left, bottom, right = pads.ints if pads is not None else (0, 0, 0, 0)
    cameras, height, width, _ = shape
    name = "image_rows"
    for axis, before, after, size in (
        (1, top, bottom, [cameras, -1, width, 3]),
        (2, left, right, [cameras, height + top + bottom, -1, 3]),
    ):
        names = [name]
        for place, count in ((0, before), (2, after)):
            if count:
                border = np.broadcast_to(colour, [count if n < 0 else n for n in size])
                names.insert(place, _constant(graph, f"border_{axis}_{place}", border))
        if len(names) > 1:
            name = f"image_padded_{axis}"
            nodes.append(helper.make_node("Concat", names, [name], axis=axis))
    if pads is not None:
        pads.ints[:] = [0, 0, 0, 0]
    return name


def _constant(graph: Any, name: str, value: npt.NDArray[Any]) -> str:
    name = f"{BYTES}.{name}"
    graph.initializer.append(numpy_helper.from_array(np.array(value, order="C"), name))
    return name


def _replace(graph: Any, old: list[Any], new: list[Any]) -> None:
    """New nodes where old ones were, and no constant that nothing uses."""
    place = list(graph.node).index(old[0])
    for node in old:
        graph.node.remove(node)
    for offset, node in enumerate(new):
        graph.node.insert(place + offset, node)
    used = {name for node in graph.node for name in node.input}
    for constant in list(graph.initializer):
        if constant.name not in used:
            graph.initializer.remove(constant)
