"""`./vla learn quantize`: a checkpoint in 8 bits, and what that costs in success."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import onnx

from vla_learning.evaluate.paired_evaluation import pair, run_paired, table
from vla_learning.export.calibration import Feed, calibration_feeds
from vla_learning.export.quantizing import (
    Difference,
    Method,
    QuantizeError,
    difference,
    is_quantized,
    quantize,
    write_quantized,
)
from vla_learning.workers import Workers
from vla_policy import backends
from vla_policy.checkpoint.checkpoint import POLICY_ONNX, Checkpoint

SINGLE = "fp32"


@dataclass(frozen=True)
class Quantized:
    """One quantized checkpoint."""

    method: Method
    folder: Path
    size: int
    difference: Difference


def make(
    checkpoint: Checkpoint,
    to: Path,
    calibration: Sequence[Feed],
    held_out: Sequence[Feed],
    methods: Sequence[Method],
    operators: Sequence[str],
) -> list[Quantized]:
    """Write a checkpoint for every method; raises QuantizeError."""
    source = checkpoint.read(POLICY_ONNX)
    made = []
    for method in methods:
        with tempfile.TemporaryDirectory() as folder:
            graph = Path(folder) / POLICY_ONNX
            quantize(source, graph, method, calibration, operators)
            apart = difference(source, graph.read_bytes(), held_out)
            about = {
                "method": method.value,
                "frames": len(calibration) if method is Method.STATIC else 0,
                "of": checkpoint.files[POLICY_ONNX],
                "difference": asdict(apart),
            }
            write_quantized(checkpoint, graph, to / method.value, about)
            made.append(Quantized(method, to / method.value, graph.stat().st_size, apart))
    return made


def run(
    given: Checkpoint,
    tasks: Sequence[str],
    arguments: argparse.Namespace,
    settings: Any,
    space: Any,
    progress: Any,
) -> str:
    """Quantize, compare, write the report; returns it.

    tasks: of the paired episodes.

    Raises:
        QuantizeError, DemonstrationError, CheckpointError, BackendError: one line.
    """
    from vla_learning.data.dataset import load_frames
    from vla_sim.tasks.task_list import parse_seeds

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = single_precision(given, Path(folder))
        checkpoint.require_action_space(space, str(settings.action_space))
        backend = backends.create("onnxruntime", backends.BackendOptions(threads=2))
        backend.load(checkpoint)
        data = arguments.data or Path("data") / settings.name
        to = arguments.out or Path("out/quantize") / checkpoint.name
        with progress("frames", 1) as bar:
            frames = load_frames(data, settings, space, bar.of)
        count = arguments.frames + arguments.frames // 4
        feeds = calibration_feeds(frames, settings.tasks, checkpoint, backend, count)
        calibration, held_out = feeds[: arguments.frames], feeds[arguments.frames :]
        if not held_out:
            raise QuantizeError(f"{data} has {len(feeds)} frames; accepted: more than {count}")
        methods = [Method(name) for name in arguments.methods.split(",")]
        made = make(checkpoint, to, calibration, held_out, methods, arguments.operators)
        seeds = parse_seeds(arguments.seeds) if arguments.seeds else []
        workers = Workers(arguments.jobs, arguments.ray)
        results: dict[str, Any] = {}
        if seeds:
            results = _episodes(checkpoint, made, tasks, seeds, to, workers, progress)
        text = report(checkpoint, made, results, len(calibration))
        (to / "quantize.md").write_text(text + "\n", encoding="utf-8")
        content = json.dumps(as_dict(checkpoint, made, results), indent=1)
        (to / "quantize.json").write_text(content + "\n", encoding="utf-8")
        return text


def single_precision(checkpoint: Checkpoint, to: Path) -> Checkpoint:
    """The checkpoint, or where it is in 8 bits already, one with the graph of its weights.

    Raises:
        QuantizeError, BackendError, CheckpointError: it is, and has no weights, or torch is not
            installed.
    """
    if not is_quantized(onnx.load_from_string(checkpoint.read(POLICY_ONNX))):
        return checkpoint
    try:
        from vla_learning.export.exporting import export_graphs
        from vla_policy.backends.torch_module import load_model
    except ImportError as error:
        raise QuantizeError(
            f"checkpoint {checkpoint.folder} is quantized already; accepted: one in single "
            f"precision, or PyTorch to make the graph of its weights ({error})"
        ) from error
    graphs = to / "graphs"
    graphs.mkdir(parents=True)
    export_graphs(load_model(checkpoint), graphs)
    write_quantized(checkpoint, graphs / POLICY_ONNX, to / "fp32", {"method": "none"})
    return Checkpoint.load(to / "fp32")


def _episodes(
    checkpoint: Checkpoint,
    made: Sequence[Quantized],
    tasks: Sequence[str],
    seeds: Sequence[int],
    to: Path,
    workers: Workers,
    progress: Any,
) -> dict[str, Any]:
    assert checkpoint.folder is not None
    folders = {SINGLE: checkpoint.folder, **{q.method.value: q.folder for q in made}}
    identities = {n: Checkpoint.load(folder).files[POLICY_ONNX] for n, folder in folders.items()}
    episodes = [(task, seed, checkpoint.commands[task][0]) for seed in seeds for task in tasks]
    with progress("episodes", len(folders) * len(episodes)) as bar:
        return run_paired(folders, identities, episodes, to / "episodes.jsonl", workers, bar.done)


def report(
    checkpoint: Checkpoint, made: Sequence[Quantized], results: dict[str, Any], frames: int
) -> str:
    """What was made and what it costs, as Markdown."""
    assert checkpoint.folder is not None
    size = (checkpoint.folder / POLICY_ONNX).stat().st_size
    lines = [
        f"# {checkpoint.name} in 8 bits",
        "",
        f"Static: QDQ, calibrated on {frames} training frames. Difference of the normalised "
        "actions from fp32, on frames that were not used for it.",
        "",
        "| | size | mean difference | p99 | greatest |",
        "|---|---|---|---|---|",
        f"| {SINGLE} | {size / 1e6:.2f} MB | – | – | – |",
    ]
    for q in made:
        d = q.difference
        lines.append(
            f"| {q.method.value} | {q.size / 1e6:.2f} MB | {d.mean:.4f} | {d.p99:.3f} | "
            f"{d.greatest:.3f} |"
        )
    if results:
        count = len(results[SINGLE])
        lines += ["", f"Closed loop, the same {count} episodes:", "", table(results, SINGLE)]
    return "\n".join(lines)


def as_dict(
    checkpoint: Checkpoint, made: Sequence[Quantized], results: dict[str, Any]
) -> dict[str, Any]:
    """The report for JSON."""
    content: dict[str, Any] = {
        "checkpoint": checkpoint.name,
        "policy": checkpoint.files[POLICY_ONNX],
        "quantized": [
            {"method": q.method.value, "bytes": q.size, "difference": asdict(q.difference)}
            for q in made
        ],
    }
    for name, episodes in results.items():
        content.setdefault("episodes", {})[name] = [asdict(e) for e in episodes]
        if name != SINGLE:
            both = pair(results[SINGLE], episodes)
            content.setdefault("paired", {})[name] = {
                **asdict(both),
                "loss": both.loss,
                "interval": both.interval(),
                "accepted": both.accepted,
            }
    return content
