"""The rows of the backends' benchmark, of a small random network."""

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from vla_learning.export.example_inputs import random_frames
from vla_learning.export.exporting import export_run
from vla_learning.export.quantize_command import single_precision
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_proof.bench.backends import backends_command
from vla_proof.bench.backends.backend_variants import int8_variants


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoint")


@pytest.fixture
def checkpoint(folder, settings, space):
    if not (folder / "config.yaml").exists():
        export_run(settings, space, Path("none"), folder, "random")
    return Checkpoint.load(folder)


@pytest.mark.minutes
@pytest.mark.slow  # writes graphs
def test_a_checkpoint_in_8_bits_gets_the_graph_of_its_weights_back(checkpoint, tmp_path):
    frames = random_frames(checkpoint, 8)
    assert single_precision(checkpoint, tmp_path / "no") is checkpoint
    static, dynamic = int8_variants(checkpoint, checkpoint, frames, tmp_path / "q")
    assert (static.name, dynamic.name) == ("onnxruntime int8 static", "onnxruntime int8 dynamic")
    shipped = Checkpoint.load(static.folder)
    single = single_precision(shipped, tmp_path / "back")
    assert single.files["policy.onnx"] not in (shipped.files["policy.onnx"], "")

    (row,) = int8_variants(shipped, single, frames, tmp_path / "again")
    assert row.name == "onnxruntime int8 (shipped)"


@pytest.mark.minutes
@pytest.mark.slow  # exports with three numbers of cameras
def test_the_whole_benchmark(checkpoint, folder, tmp_path, capsys):
    out = tmp_path / "out"
    status = backends_command.main(
        ["--checkpoint", str(folder), "--rounds", "11", "--episodes", "0", "--out", str(out)]
    )
    assert status in (0, 1)  # how fast it is, another test's load decides
    text = capsys.readouterr().out
    for name in ("torch eager", "onnxruntime fp32", "int8 static", "int8 dynamic"):
        assert name in text
    assert "left out: tensorrt" in text
    assert {path.name for path in out.iterdir()} == {
        "bench_backends.json",
        "bench_backends.png",
    }
