"""Backends side by side, on a tiny checkpoint; figures of no meaning."""

import json
import math

import numpy as np
import pytest

from vla_learning.export.example_inputs import Recorder, random_frames
from vla_policy.backends import BackendOptions, create
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_proof.bench.backends import backend_bench, backends_command
from vla_proof.bench.backends.backend_bench import Figures, Language, Variant
from vla_proof.bench.backends.backend_report import Report, as_dict, draw, lines, targets
from vla_proof.test_support.tiny_checkpoints import write_checkpoint

GRAPHS = ("language.onnx", "policy.onnx")


@pytest.fixture
def folder(tmp_path, root):
    pytest.importorskip("onnx")
    return write_checkpoint(
        tmp_path / "tiny", root / "config" / "action_spaces" / "metaworld.yaml", size=16
    )


def figures(name, ms, **changes):
    values = {"cold_start": 300.0, "size": 5_000_000, "greatest_difference": 0.0}
    return Figures(
        name, (ms, ms, 3 * ms), (2 * ms,), **{**values, "mean_difference": 0.0, **changes}
    )


def report(fp32=5.0, int8=2.0, overhead=1.0, four=12.0):
    rows = [
        figures("torch eager", 10.0),
        figures("onnxruntime fp32", fp32),
        figures("onnxruntime int8 static", int8, greatest_difference=0.1),
    ]
    cameras = {"onnxruntime fp32": {1: 3.0, 2: 5.0, 4: four}}
    return Report(rows, Language(0.5, 5.0), overhead, cameras, ["tensorrt (no GPU)"])


def test_all_targets_met():
    assert all(met for _, met, _ in targets(report()))
    text = "\n".join(lines(report()))
    assert "| onnxruntime fp32 | 8.33 | 4.71 | 5.00 |" in text
    assert "left out: tensorrt (no GPU)" in text
    assert "1.10 times faster" in text
    assert "met     onnxruntime int8 static: 5.00 times faster" in text


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"fp32": 6.0}, "onnxruntime fp32"),
        ({"int8": 2.6}, "onnxruntime int8 static"),
        ({"overhead": 2.1}, "policy beyond the forward pass"),
        ({"four": 13.0}, "onnxruntime fp32: cost per cameras at most linear"),
    ],
)
def test_a_missed_target_is_named(changes, missed):
    found = targets(report(**changes))
    assert [what for what, met, _ in found if not met] == [missed]
    assert sum(line.startswith("MISSED") for line in lines(report(**changes))) == 1


def test_json_and_picture(tmp_path):
    plain = json.loads(json.dumps(as_dict(report())))
    assert plain["backends"][2]["times_faster_than_eager"] == 5.0
    assert plain["backends"][0]["fps"] == pytest.approx(60.0)
    draw(report(), tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000


def test_runs_take_turns():
    order = []
    runs = [lambda i=i: order.append(i) for i in range(3)]
    times = backend_bench.take_turns(runs, 20, lambda *_: None)
    assert [len(each.in_a_row) for each in times] == [24, 24, 24]
    assert [len(each.rested) for each in times] == [3, 3, 3]
    turns = order[3 * backend_bench.WARM_UP :: backend_bench.TURN]
    assert turns == [1, 2, 0, 2, 0, 1, 0, 1, 2]


def test_what_is_measured_of_a_variant(folder):
    variant = Variant("a", folder, "onnxruntime", GRAPHS, threads=1)
    frames = random_frames(Checkpoint.load(folder), 3)
    (one, other) = backend_bench.measure(
        [variant, variant], frames, "open the drawer", 5, lambda *_: None
    )
    assert other.greatest_difference == other.mean_difference == 0.0
    assert len(one.times) == 8 and 0.0 < one.percentile(50) <= one.percentile(99)
    assert one.cold_start > 50.0
    assert one.size == sum((folder / name).stat().st_size for name in GRAPHS)
    language = backend_bench.measure_language(variant, frames[0], "open the drawer", 5)
    assert language.gain > 1.0
    assert math.isfinite(backend_bench.policy_overhead(variant, "open the drawer", 12))


def test_a_recorder_keeps_every_fifth_input(folder):
    checkpoint = Checkpoint.load(folder)
    recorder = Recorder(create("onnxruntime", BackendOptions(threads=1)))
    recorder.load(checkpoint)
    language = recorder.encode_language(checkpoint.tokenizer.encode("open"))
    frames = random_frames(checkpoint, 7)
    for frame in frames:
        assert recorder.forward(frame, language).actions.shape == (32, 4)
    kept = [frames[0], frames[5]]
    assert all(
        np.array_equal(r.images, f.images) for r, f in zip(recorder.frames, kept, strict=True)
    )


def test_rounds_that_leave_nothing_to_measure_are_refused(capsys):
    with pytest.raises(SystemExit):
        backends_command.main(["--rounds", str(backend_bench.WARM_UP)])
    assert "--rounds: is '10'; accepted: a whole number of at least 11" in capsys.readouterr().err


def test_a_robot_that_the_simulator_lacks_is_measured_on_noise(folder, capsys):
    checkpoint = Checkpoint.load(folder)
    assert backends_command._seen(checkpoint, ()) == []
    assert backends_command._seen(checkpoint, ("fold-towel",)) == []
    assert "noise instead of pictures: task is 'fold-towel'" in capsys.readouterr().err
