"""Pictures of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SUCCESS = "success"


def plot_history(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw every loss over the steps, on logarithmic axes, and the success, into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for row in history for name in row if name != "step"))
    figure = Figure(figsize=(2.7 * max(1, len(names)), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for index, name in enumerate(names, start=1):
        axes = figure.add_subplot(1, len(names), index)
        points = [(row["step"], row[name]) for row in history if name in row]
        marker = "o" if name == SUCCESS else ""
        axes.plot(*zip(*points, strict=True), linewidth=1.2, marker=marker, markersize=4)
        axes.set(title=name, xlabel="step")
        if name == SUCCESS:
            axes.set(ylim=(-0.03, 1.03))
        else:
            axes.set(yscale="log")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
