"""`vla bench safety`: time of the safety package, in parts and as the running node.

The parts (validator, obstacles, the core) are timed in this process, one step after the other. The
loop is that of the real node in a process of its own at 50 Hz, with chunks, joint states, odometry
and a scan of 720 beams coming over DDS, and then with a scan of 1080 beams and a depth camera's
cloud at 30 Hz; it measures itself, as it does on a robot.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vla_cli.client import options, paths
from vla_cli.client.command_errors import raise_on_signals
from vla_proof.bench import core_bench
from vla_proof.bench.loop_bench import DEPTH_CAMERA, SCANNER, LoopFigures, measure_loop

LOOP_P99 = 2.0  # ms, of the time spent in a period
RECORDED = 10.0  # s that a recording of a stop reaches back to


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
    report = core_bench.measure(chosen.steps)
    print("\n".join(core_bench.lines(report)), flush=True)
    loops = []
    for sensors in (SCANNER, DEPTH_CAMERA) if chosen.duration > 0.0 else ():
        loops.append(measure_loop(chosen.duration, sensors))
        print("\n" + "\n".join(loops[-1].lines()), flush=True)
    print()
    missed = False
    for what, value, most, unit in targets(report, loops):
        missed = missed or value > most
        print(
            f"{'met' if value <= most else 'MISSED':<8}{what}: {value:.2f} {unit}, target {most:g}"
        )
    out = paths.output_folder(chosen.out)
    content = {
        "cores": os.cpu_count(), "load": os.getloadavg()[0], **report.as_dict(),
        "loops": [asdict(loop) for loop in loops],
    }  # fmt: skip
    (out / "bench_safety.json").write_text(json.dumps(content, indent=1) + "\n")
    draw(report, out / "bench_safety.png")
    print(f"written: {out / 'bench_safety.json'}, {out / 'bench_safety.png'}")
    return int(missed)


def targets(
    report: core_bench.Report, loops: Sequence[LoopFigures]
) -> list[tuple[str, float, float, str]]:
    """(what, value, greatest accepted, unit) of every target."""
    found = [
        (f"{figure.name}, p99", figure.p99, core_bench.TARGETS[figure.name], "µs")
        for figure in report.figures
        if figure.name in core_bench.TARGETS
    ]
    for loop in loops:
        what = f"safety loop at 50 Hz, {loop.sensors}"
        found.append((f"{what}, p99", loop.duration_p99 * 1e3, LOOP_P99, "ms"))
        found.append((f"{what}, not recorded", RECORDED - loop.recorder_holds, 0.0, "s"))
    return found


def draw(report: core_bench.Report, path: Path) -> None:
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


def _draw_growth(axis: Any, growth: core_bench.Growth) -> None:
    axis.plot(growth.sizes, growth.cpu_p50, "o", color="#1f5fa8", label="cpu, p50")
    axis.plot(growth.sizes, growth.p50, "+", color="#7f8c8d", label="wall, p50")
    line = [growth.offset + growth.slope * size for size in growth.sizes]
    axis.plot(growth.sizes, line, color="#c0392b", linewidth=0.9, label=f"r² = {growth.r2:.4f}")
    axis.set_xlabel(growth.name)
    axis.set_ylabel("µs per step")
    axis.set_ylim(bottom=0.0)
    axis.legend(fontsize=8)
