"""`./vla bench backends`: inference backends side by side, on the same weights and pictures."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vla_contract.command_options import at_least
from vla_learning.export.example_inputs import random_frames, seen_frames
from vla_learning.learn_commands import _check_simulator, _progress, refusals
from vla_policy.backends import BackendError, Inputs
from vla_policy.checkpoint.checkpoint import Checkpoint, CheckpointError
from vla_proof.bench.backends.backend_bench import (
    WARM_UP,
    Variant,
    measure,
    measure_language,
    policy_overhead,
    take_turns,
)
from vla_proof.bench.backends.backend_report import Report, as_dict, draw, lines, targets

CAMERAS = (1, 2, 4)


def main(arguments: Sequence[str]) -> int:
    """0: every target is met; 1: one is missed; 2: it could not be measured."""
    chosen = _parser().parse_args(arguments)
    try:
        given = Checkpoint.load(chosen.checkpoint)
        with tempfile.TemporaryDirectory() as folder:
            report = _measure(given, chosen, Path(folder))
    except (BackendError, CheckpointError) as error:
        print(f"vla bench backends: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines(report)))
    out = Path(chosen.out or Path(os.environ.get("VLA_ROOT", ".")) / "out")
    out.mkdir(parents=True, exist_ok=True)
    about = {
        "checkpoint": given.name,
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": chosen.threads,
        "load": os.getloadavg()[0],
    }
    content = json.dumps({**about, **as_dict(report)}, indent=1)
    (out / "bench_backends.json").write_text(content + "\n", encoding="utf-8")
    draw(report, out / "bench_backends.png")
    print(f"written: {out / 'bench_backends.json'}, {out / 'bench_backends.png'}")
    return int(not all(met for _, met, _ in targets(report)))


def _measure(given: Checkpoint, chosen: argparse.Namespace, folder: Path) -> Report:
    from vla_learning.export.quantize_command import single_precision
    from vla_proof.bench.backends.backend_variants import (  # needs torch
        fp32_variants,
        gpu_variant,
        int8_variants,
    )

    single = single_precision(given, folder / "single")
    tasks = list(given.commands)[: chosen.episodes]
    with _progress("frames", 1) as bar:
        frames = _seen(single, tasks) or random_frames(single, 64)
        bar.done(1)
    variants = fp32_variants(single, compiled=chosen.compiled)
    variants += int8_variants(given, single, frames, folder / "int8")
    gpu = gpu_variant(single)
    left_out = []
    if isinstance(gpu, Variant):
        variants.append(gpu)
    else:
        left_out.append(f"tensorrt ({gpu})")
    if not chosen.compiled:
        left_out.append("torch compiled (--compiled; it takes a minute or so and a C++ compiler)")
    variants = [Variant(**{**vars(v), "threads": chosen.threads}) for v in variants]
    command = next((words[0] for words in given.commands.values()), "go")
    with _progress("forward passes", chosen.rounds) as bar:
        figures = measure(variants, frames, command, chosen.rounds, bar.done)
    running = next(v for v in variants if v.backend == "onnxruntime")
    return Report(
        figures,
        measure_language(running, frames[0], command, chosen.rounds),
        policy_overhead(running, command, chosen.rounds),
        {} if chosen.no_cameras else _cameras(single, folder, chosen),
        left_out,
    )


def _seen(checkpoint: Checkpoint, tasks: Sequence[str]) -> list[Inputs]:
    """What it sees in the simulator; nothing without tasks, and nothing of another robot."""
    assert checkpoint.folder is not None
    if not tasks:
        return []
    try:
        _check_simulator(tasks, checkpoint.cameras)
    except refusals() as error:
        print(f"noise instead of pictures: {error}", file=sys.stderr)
        return []
    return seen_frames(checkpoint.folder, tasks, 3000, 64)


def _cameras(
    checkpoint: Checkpoint, folder: Path, chosen: argparse.Namespace
) -> dict[str, dict[int, float]]:
    """p50 in ms of a forward pass, per backend and number of cameras; all take turns."""
    from vla_proof.bench.backends.backend_variants import with_cameras

    with _progress("cameras", len(CAMERAS)) as bar:
        rows: list[tuple[str, int, Variant]] = []
        for done, count in enumerate(CAMERAS, start=1):
            for variant in with_cameras(checkpoint, count, folder / f"cameras{count}"):
                rows.append((variant.name.split(",")[0], count, variant))
            bar.done(done)
    runs = []
    for _, _, variant in rows:
        loaded, backend = Variant(**{**vars(variant), "threads": chosen.threads}).load()
        frame = random_frames(loaded, 1)[0]
        language = backend.encode_language(loaded.tokenizer.encode("go"))
        runs.append(lambda b=backend, f=frame, w=language: b.forward(f, w))
    with _progress("forward passes", chosen.rounds) as bar:
        times = take_turns(runs, chosen.rounds, bar.done)
    found: dict[str, dict[int, float]] = {}
    for (name, count, _), values in zip(rows, times, strict=True):
        found.setdefault(name, {})[count] = values.median
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vla bench backends", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=Path("models/metaworld"))
    parser.add_argument("--threads", type=at_least(1), default=2, help="of a forward pass (2)")
    parser.add_argument(
        "--rounds",
        type=at_least(WARM_UP + 1),  # the first ones are not counted
        default=200,
        help="runs of each backend (200)",
    )
    parser.add_argument(
        "--episodes",
        type=at_least(0),
        default=4,
        help="whose pictures are used (4); 0: noise, which needs no simulator",
    )
    parser.add_argument("--compiled", action="store_true", help="the backend torch compiled, too")
    parser.add_argument("--no-cameras", action="store_true", help="without the cost over cameras")
    parser.add_argument("--out", help="folder for bench_backends.json and .png (out)")
    return parser
