"""The table, targets, JSON and picture of `./vla bench backends`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vla_proof.bench.backends.backend_bench import Figures, Language

LEAST_FP32 = 1.8  # times faster than eager PyTorch
LEAST_INT8 = 4.0
MOST_OVERHEAD = 2.0  # ms, of the policy beyond the forward pass
NOISE = 1.05  # what times of the same thing may differ by


@dataclass(frozen=True)
class Report:
    """Everything that was measured. cameras: p50 in ms, per backend and number of cameras."""

    figures: Sequence[Figures]
    language: Language
    overhead: float
    cameras: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    left_out: Sequence[str] = ()

    def ratio(self, figures: Figures) -> float:
        """How many times faster than the first row, by the median."""
        return self.figures[0].percentile(50) / figures.percentile(50)

    def of(self, start: str) -> list[Figures]:
        """Rows whose name starts so."""
        return [f for f in self.figures if f.name.startswith(start)]


def lines(report: Report) -> list[str]:
    """The report as text."""
    head = (
        "| backend | mean ms | std | p50 | p99 | fps | × eager | p50 after 10 ms of rest "
        "| cold start s | size MB | max difference | mean |"
    )
    text = [head, "|---" * 12 + "|"]
    for f in report.figures:
        text.append(
            f"| {f.name} | {f.mean:.2f} | {f.deviation:.2f} | {f.percentile(50):.2f} | "
            f"{f.percentile(99):.2f} | {f.rate:.0f} | {report.ratio(f):.2f} | "
            f"{statistics.median(f.rested):.2f} | {f.cold_start / 1e3:.2f} | {f.size / 1e6:.2f} | "
            f"{f.greatest_difference:.2g} | {f.mean_difference:.2g} |"
        )
    text += [f"left out: {reason}" for reason in report.left_out]
    text += ["", *_language(report), *_cameras(report), ""]
    return text + [_target(*target) for target in targets(report)]


def _language(report: Report) -> list[str]:
    found = report.language
    return [
        f"language branch {found.branch:.2f} ms, once per command; the rest {found.rest:.2f} ms: "
        f"the feature cache makes an inference {found.gain:.2f} times faster",
        f"policy beyond the forward pass, two images of 640x480, without ROS: "
        f"{report.overhead:.2f} ms",
    ]


def _cameras(report: Report) -> list[str]:
    if not report.cameras:
        return []
    counts = sorted(next(iter(report.cameras.values())))
    text = ["", "| p50 ms by cameras | " + " | ".join(map(str, counts)) + " |"]
    text.append("|---" * (len(counts) + 1) + "|")
    for name, times in report.cameras.items():
        text.append(f"| {name} | " + " | ".join(f"{times[n]:.2f}" for n in counts) + " |")
    return text


def targets(report: Report) -> list[tuple[str, bool, str]]:
    """(what, whether it is met, the figures) of every target."""
    found = []
    for start, least in (("onnxruntime fp32", LEAST_FP32), ("onnxruntime int8", LEAST_INT8)):
        rows = report.of(start)
        if rows:
            best = max(rows, key=report.ratio)
            ratio = report.ratio(best)
            words = f"{ratio:.2f} times faster than eager PyTorch, target {least:g}"
            found.append((best.name, ratio >= least, words))
    words = f"{report.overhead:.2f} ms, target {MOST_OVERHEAD:g}"
    found.append(("policy beyond the forward pass", report.overhead <= MOST_OVERHEAD, words))
    for name, times in report.cameras.items():
        least = min(times)
        met = all(t <= NOISE * times[least] * n / least for n, t in times.items())
        words = ", ".join(f"{n}: {t / times[least]:.2f}" for n, t in sorted(times.items()))
        found.append((f"{name}: cost per cameras at most linear", met, words))
    return found


def _target(what: str, met: bool, figures: str) -> str:
    return f"{'met' if met else 'MISSED':<8}{what}: {figures}"


def as_dict(report: Report) -> dict[str, Any]:
    """The report for JSON."""
    return {
        "backends": [
            {
                "name": f.name,
                "mean_ms": f.mean,
                "std_ms": f.deviation,
                "p50_ms": f.percentile(50),
                "p99_ms": f.percentile(99),
                "fps": f.rate,
                "rested_p50_ms": statistics.median(f.rested),
                "times_faster_than_eager": report.ratio(f),
                "cold_start_ms": f.cold_start,
                "bytes": f.size,
                "max_difference": f.greatest_difference,
                "mean_difference": f.mean_difference,
                "runs": len(f.times),
            }
            for f in report.figures
        ],
        "left_out": list(report.left_out),
        "language_ms": report.language.branch,
        "rest_ms": report.language.rest,
        "feature_cache_gain": report.language.gain,
        "policy_overhead_ms": report.overhead,
        "cameras_p50_ms": {n: {str(c): t for c, t in x.items()} for n, x in report.cameras.items()},
        "targets": [{"what": w, "met": m, "figures": f} for w, m, f in targets(report)],
    }


def draw(report: Report, path: Path) -> None:
    """Write the picture: forward times, and cost over cameras."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(
        1,
        2,
        figsize=(12, 0.5 * len(report.figures) + 2.5),
        gridspec_kw={"width_ratios": (3, 2)},
    )
    names = [f.name for f in report.figures]
    left.boxplot(
        [f.times for f in report.figures], vert=False, whis=(1, 99), showfliers=False, widths=0.6
    )
    left.set_yticks(range(1, len(names) + 1), names)
    for i, f in enumerate(report.figures, start=1):
        left.text(
            f.percentile(50), i + 0.44, f"{f.percentile(50):.2f} ms, {report.ratio(f):.1f}×",
            fontsize=8, ha="center",
        )  # fmt: skip
    left.invert_yaxis()
    left.set_xlim(0, None)
    left.set_xlabel("forward pass, ms (p1, quartiles, p99)")
    for name, times in report.cameras.items():
        counts = sorted(times)
        right.plot(counts, [times[n] for n in counts], "o-", label=name)
    right.set_xlim(0, None)
    right.set_ylim(0, None)
    right.set_xlabel("cameras")
    right.set_ylabel("p50, ms")
    if report.cameras:
        right.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
