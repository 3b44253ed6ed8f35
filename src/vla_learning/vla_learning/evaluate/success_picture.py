"""An evaluation as one picture: success per task, first and last frame of an episode of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_learning.evaluate.success_report import Episode, Rate, rates, total

COLUMNS = 5  # tasks in a row of the grid
GOOD, BAD, ALL = "#2e7d32", "#c0392b", "#1f5fa8"

Pixels = npt.NDArray[np.uint8]


def draw(
    episodes: Sequence[Episode], frames: Mapping[tuple[str, int], tuple[Pixels, Pixels]], path: Path
) -> None:
    """Write a PNG file.

    Args:
        episodes: at least one. frames: first and last picture, (h, w, 3) uint8 rgb, of those
            (task, seed) of which there are pictures; each task shows the first of its episodes
            that has some. path: of the file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tasks = rates(episodes)
    shown = _shown(episodes, frames)
    rows = -(-len(shown) // COLUMNS)
    bars = 0.26 * (len(tasks) + 1) + 0.9
    figure = Figure(figsize=(14, bars + 1.75 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    heights = [bars, 1.75 * rows] if rows else [bars]
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)
    _bars(parts[0, 0].subplots(), {**tasks, "all": total(episodes)})
    if rows:
        axes = parts[1, 0].subplots(rows, COLUMNS, squeeze=False).ravel()
        for axis in axes:
            axis.set_axis_off()
        for axis, episode in zip(axes, shown, strict=False):
            _frames(axis, episode, *frames[episode.task, episode.seed])
    figure.savefig(path, dpi=100)


def _shown(episodes: Sequence[Episode], frames: Mapping[tuple[str, int], Any]) -> list[Episode]:
    first: dict[str, Episode] = {}
    for episode in episodes:
        if (episode.task, episode.seed) in frames:
            first.setdefault(episode.task, episode)
    return list(first.values())


def _bars(axes: Any, tasks: Mapping[str, Rate]) -> None:
    names = list(tasks)
    values = np.array([100 * rate.value for rate in tasks.values()])
    low = values - [100 * rate.low for rate in tasks.values()]
    high = np.array([100 * rate.high for rate in tasks.values()]) - values
    colours = [ALL if name == "all" else GOOD for name in names]
    axes.barh(names, values, color=colours, xerr=np.clip([low, high], 0, None), ecolor="#555555")
    axes.invert_yaxis()
    axes.set(xlim=(0, 100), xlabel="success, %, with the 95 % Wilson interval")
    for row, rate in enumerate(tasks.values()):
        axes.text(
            1,
            row,
            f"{rate.successes}/{rate.trials}",
            va="center",
            fontsize=8,
            color="w" if rate.value > 0.08 else "k",
        )
    axes.grid(axis="x", alpha=0.3)


def _frames(axes: Any, episode: Episode, first: Pixels, last: Pixels) -> None:
    axes.imshow(np.concatenate((first, last), axis=1))
    verdict = f"success, step {episode.ticks}" if episode.success else "failed"
    axes.set_title(
        f'{episode.task}, seed {episode.seed}: {verdict}\n"{episode.command}"',
        fontsize=7,
        color=GOOD if episode.success else BAD,
    )
