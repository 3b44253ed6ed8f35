"""`vla bench safety`: time of the safety package, in parts and as the running node.

The parts (validator, obstacles, the core) are timed in this process, one step after the other. The
loop is that of the real node in a process of its own at 50 Hz, with chunks, joint states, odometry
and a scan of 720 beams coming over DDS; it measures itself, as it does on a robot.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vla_cli import options, paths
from vla_cli.bench_loop import LoopFigures, measure_loop
from vla_cli.errors import raise_on_signals
from vla_safety import bench

LOOP_P99 = 2.0  # ms, of the time spent in a period


def main(arguments: list[str]) -> int:
    """0: every target is met; 1: one is missed."""
    parser = options.parser("bench safety", __doc__.split("\n")[0])
    parser.add_argument(
        "--steps", type=options.at_least(100, "steps"), default=20_000, help="(default: 20000)"
    )
    parser.add_argument(
        "--duration",
        type=float,
        default=30.0,
        help="s of the running node; 0: without (default: 30)",
    )
    parser.add_argument("--out", help="folder for bench_safety.json and .png (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    report = bench.measure(chosen.steps)
    print("\n".join(bench.lines(report)), flush=True)
    loop = measure_loop(chosen.duration) if chosen.duration > 0.0 else None
    if loop is not None:
        print("\n" + "\n".join(loop.lines()))
    print()
    missed = False
    for what, value, most, unit in targets(report, loop):
        missed = missed or value > most
        print(
            f"{'met' if value <= most else 'MISSED':<8}{what}: {value:.2f} {unit}, target {most:g}"
        )
    out = paths.output_folder(chosen.out)
    content = {
        "cores": os.cpu_count(), "load": os.getloadavg()[0], **report.as_dict(),
        "loop": asdict(loop) if loop else None,
    }  # fmt: skip
    (out / "bench_safety.json").write_text(json.dumps(content, indent=1) + "\n")
    draw(report, out / "bench_safety.png")
    print(f"written: {out / 'bench_safety.json'}, {out / 'bench_safety.png'}")
    return int(missed)


def targets(report: bench.Report, loop: LoopFigures | None) -> list[tuple[str, float, float, str]]:
    """(what, value, greatest accepted, unit) of every target."""
    found = [
        (f"{figure.name}, p99", figure.p99, bench.TARGETS[figure.name], "µs")
        for figure in report.figures
        if figure.name in bench.TARGETS
    ]
    if loop is not None:
        found.append(("safety loop at 50 Hz, p99", loop.duration_p99 * 1e3, LOOP_P99, "ms"))
    return found


def draw(report: bench.Report, path: Path) -> None:
    """Write the figure: cost over size, with the fitted lines."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(report.growths), figsize=(13, 3.6))
    for axis, growth in zip(axes, report.growths, strict=True):
        _draw_growth(axis, growth)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_growth(axis: Any, growth: bench.Growth) -> None:
    axis.plot(growth.sizes, growth.cpu_p50, "o", color="#1f5fa8", label="cpu, p50")
    axis.plot(growth.sizes, growth.p50, "+", color="#7f8c8d", label="wall, p50")
    line = [growth.offset + growth.slope * size for size in growth.sizes]
    axis.plot(growth.sizes, line, color="#c0392b", linewidth=0.9, label=f"r² = {growth.r2:.4f}")
    axis.set_xlabel(growth.name)
    axis.set_ylabel("µs per step")
    axis.set_ylim(bottom=0.0)
    axis.legend(fontsize=8)
