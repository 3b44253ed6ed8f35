"""TensorRT would take each graph as one engine: partition only, nothing is built or run.

Each in a process of its own, since what stands in for TensorRT and a GPU stays in it.
"""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("torch_tensorrt") is None, reason="torch-tensorrt is not installed"
)

PROGRAM = """
import json, sys, torch
from vla_policy.engines import partition
from vla_policy.engines.engine_graphs import EngineGraph, export_engines
from vla_policy.engines.compile_options import BuildOptions
from vla_policy.model import ModelConfig, VLAModel

class Control(torch.nn.Module):
    def forward(self, x):  # an operator without a converter between two that have one
        return (torch.erfinv(torch.tanh(x @ x)) @ x,)

release = partition.prepare()
asked = json.loads(sys.argv[1])
if asked["control"]:
    example = (torch.rand(4, 4),)
    program = torch.export.export(Control(), example)
    graphs = [EngineGraph("control", program, example, ("x",), ("y",))]
else:
    graphs = export_engines(VLAModel(ModelConfig(**asked["model"])).eval(), half=asked["half"])
options = BuildOptions(half=asked["half"])
reports = [partition.partition(release, graph, options) for graph in graphs]
print(json.dumps([
    {"whole": r.whole, "engines": r.engines, "pytorch": r.pytorch_parts, "lines": r.lines(),
     "converters": {o.name: o.converter for o in r.operators}}
    for r in reports
]))
"""

SMALL = {
    "cameras": 2,
    "vocabulary": 20,
    "embedding": 8,
    "language_hidden": 8,
    "hidden": 16,
    "heads": 2,
    "keypoints": 4,
    "fusion_hidden": 16,
    "planner_hidden": 16,
    "steps": 8,
    "max_words": 6,
}


def reports(**asked):
    asked = {"control": False, "half": True, "model": SMALL, **asked}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow  # imports torch_tensorrt, exports and partitions
@pytest.mark.parametrize(
    ("backbone", "norm", "half"),
    [("narrow18", "batch", True), ("resnet18", "group", True), ("resnet50", "batch", False)],
)
def test_every_operator_has_a_converter_and_there_is_one_engine(backbone, norm, half):
    model = {**SMALL, "backbone": backbone, "norm": norm, "confidence_hidden": 8}
    found = reports(half=half, model=model)
    assert len(found) == 2  # the language branch and the rest
    for report in found:
        assert report["whole"] and (report["engines"], report["pytorch"]) == (1, 0)
        assert all(report["converters"].values())
        assert "lstm" not in " ".join(report["converters"])
        assert "(partition only)" in report["lines"][0]
        assert any("`aten.linear.default`" in line for line in report["lines"])


def test_a_graph_with_an_operator_that_has_none_splits():
    (report,) = reports(control=True)
    assert not report["whole"]
    assert report["engines"] >= 2
    assert report["converters"]["aten.erfinv.default"] is None
    assert "SPLIT (partition only)" in report["lines"][0]
