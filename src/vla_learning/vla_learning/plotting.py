"""Pictures of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def plot_history(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw every loss over the steps, on logarithmic axes, into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in history[0] if name != "step"] if history else []
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    steps = [row["step"] for row in history]
    for index, name in enumerate(names, start=1):
        axes = figure.add_subplot(1, len(names), index)
        axes.plot(steps, [row[name] for row in history], linewidth=1.2)
        axes.set(title=name, xlabel="step", yscale="log")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
