"""Whether TensorRT would take a graph as one engine, without a GPU: 'partition only'.

torch_tensorrt lowers the graph and partitions it (`dryrun`, `require_full_compilation`), and its
table names the converter of every operator. Nothing is converted, so that a converter that fails
on the robot, precision and speed are not looked at.
"""

from __future__ import annotations

import io
import logging
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vla_policy.engines import stand_ins
from vla_policy.engines.compile_options import BuildOptions, checked, compile_options
from vla_policy.engines.engine_graphs import EngineGraph

_ENGINE = "_run_on_acc"
_PREFIX = "torch_tensorrt.dynamo.conversion."


@dataclass(frozen=True)
class Operator:
    """An operator of the lowered graph; converter: None where there is none."""

    name: str
    count: int
    converter: str | None


@dataclass(frozen=True)
class Partition:
    """How a graph is divided: number of engines, and of parts that PyTorch would have to run."""

    graph: str
    release: str
    operators: tuple[Operator, ...]
    engines: int
    pytorch_parts: int

    @property
    def whole(self) -> bool:
        """One engine holds everything, and every operator has a converter."""
        converted = all(operator.converter for operator in self.operators)
        return self.engines == 1 and self.pytorch_parts == 0 and converted

    def lines(self) -> list[str]:
        """The report, as Markdown."""
        count = sum(operator.count for operator in self.operators)
        verdict = "one engine" if self.whole else "SPLIT"
        return [
            f"## {self.graph}: {verdict} (partition only)",
            "",
            f"torch_tensorrt {self.release}: {count} operators, {self.engines} engines, "
            f"{self.pytorch_parts} parts left to PyTorch. Nothing was converted, built or run.",
            "",
            "| operator | count | converter |",
            "|---|---|---|",
            *(f"| `{o.name}` | {o.count} | {o.converter or '**none**'} |" for o in self.operators),
        ]


def prepare() -> Any:
    """Import torch_tensorrt on stand-ins, for the rest of this process; returns it."""
    logging.getLogger("torch_tensorrt").setLevel(logging.CRITICAL)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        stand_ins.install()
        import torch_tensorrt
    logging.getLogger("torch_tensorrt").setLevel(logging.CRITICAL)
    return torch_tensorrt


def partition(torch_tensorrt: Any, graph: EngineGraph, options: BuildOptions) -> Partition:
    """Divide a graph as a build with the same options would."""
    compile_function = torch_tensorrt.dynamo.compile
    asked = compile_options(compile_function, options, Path("timing.cache"))
    asked |= checked(compile_function, {"dryrun": True, "device": torch.device("cuda:0")})
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), torch.no_grad():
        try:
            divided = compile_function(graph.program, arg_inputs=list(graph.example), **asked)
        except AssertionError:  # not fully supported; again, to see what it would come to
            asked["require_full_compilation"] = False
            divided = compile_function(graph.program, arg_inputs=list(graph.example), **asked)
    parts = [(name, part) for name, part in divided.named_children() if hasattr(part, "graph")]
    nodes = [
        node
        for part in (divided, *(part for _, part in parts))
        for node in part.graph.nodes
        if node.op == "call_function" and not _joins_parts(node)
    ]
    engines = sum(_ENGINE in name for name, _ in parts)
    return Partition(
        graph.name,
        torch_tensorrt.__version__,
        _operators(torch_tensorrt, nodes),
        engines,
        len(parts) - engines,
    )


def _joins_parts(node: torch.fx.Node) -> bool:
    """Whether a node only takes one of several results of a part."""
    source = node.args[0] if node.args else None
    return isinstance(source, torch.fx.Node) and source.op == "call_module"


def _operators(torch_tensorrt: Any, nodes: list[torch.fx.Node]) -> tuple[Operator, ...]:
    table = torch_tensorrt.dynamo.conversion.DYNAMO_CONVERTERS
    found: Counter[tuple[str, str | None]] = Counter()
    for node in nodes:
        entry = table.get(node)
        found[str(node.target), _name(entry[0]) if entry else None] += 1
    return tuple(Operator(name, n, converter) for (name, converter), n in sorted(
        found.items(), key=lambda item: (item[0][0], item[0][1] or "")
    ))  # fmt: skip


def _name(converter: Any) -> str:
    return f"{converter.__module__.removeprefix(_PREFIX)}.{converter.__name__}"
