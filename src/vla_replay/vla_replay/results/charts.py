"""The report's pictures, as PNG inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot

from vla_contract.percentiles import percentile

ASKED, SAFE, OTHER, LIMIT = "#c0392b", "#1f5fa8", "#d98200", "#7f8c8d"
BANDS = {1: "#f1c40f", 2: "#95a5a6", 3: "#c0392b"}  # verdict → shade: limited, held, stopped
LEVEL_COLOURS = {"OK": "#2e9e5b", "WARN": "#e6a700", "ERROR": "#c0392b"}
STATE_COLOURS = {
    "INACTIVE": "#bdc3c7", "NOMINAL": "#2e9e5b", "DEGRADED": "#e6a700", "HOLD": "#5d7f9e",
    "STOPPED": "#c0392b",
}  # fmt: skip
OVERSHOOT = 1.6  # of the range; what was asked for beyond is cut off at the edge
ROOM = 0.08, 0.01  # above and below a curve, of its own height and at least of the range
UNDER = {"linewidth": 3.5, "alpha": 0.5}  # a curve that is seen where another lies on it
OVER = {"linewidth": 1.1}
Row = tuple[float, list[float], list[float], int, int]


def page_picture(figure: Any) -> str:
    """The figure as a data URI; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    pyplot.close(figure)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def actions(
    rows: Sequence[Row],
    dimensions: Sequence[Mapping[str, Any]],
    other: Sequence[Row] | None = None,
    labels: tuple[str, str] = ("sent", "sent"),
) -> str:
    """Requested against safe action over time by dimension; or two results' safe actions.

    The scale of each follows the motion; the range is told, and drawn where it is near.
    """
    count = max(1, len(dimensions))
    figure, axes = pyplot.subplots(
        count, 1, figsize=(11, 1.5 * count + 0.6), sharex=True, squeeze=False
    )
    # What lies under the line of what was sent: rows, which field of them, colour, label.
    under = (rows, 1, ASKED, "requested") if other is None else (other, 2, OTHER, labels[1])
    for index, dimension in enumerate(dimensions):
        axis = axes[index][0]
        if other is None:
            _shade(axis, rows)
        curves = []
        for of, field, colour, label, style in ((*under, UNDER), (rows, 2, SAFE, labels[0], OVER)):
            curves.append(_column(of, field, index))
            axis.plot([row[0] for row in of], curves[-1], color=colour, label=label, **style)
        low, high = float(dimension["low"]), float(dimension["high"])
        for bound in (low, high):
            axis.axhline(bound, color=LIMIT, linestyle="--", linewidth=0.8)
        axis.set_ylim(*_scale(low, high, np.concatenate(curves)))
        unit = "" if dimension["unit"] == "1" else dimension["unit"]
        axis.set_ylabel(f"{dimension['name']}\n{unit}", fontsize=8)
        axis.set_title(f"range {low:g} to {high:g}", fontsize=7, color=LIMIT, loc="left", pad=2)
    axes[0][0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=7, ncol=3)
    axes[-1][0].set_xlabel("time of the bag, s")
    figure.tight_layout()
    return page_picture(figure)


def _shade(axis: Any, rows: Sequence[Row]) -> None:
    """Colour the times of each verdict."""
    times = [row[0] for row in rows]
    for verdict, colour in BANDS.items():
        where = np.array([row[3] == verdict for row in rows], dtype=bool)
        axis.fill_between(
            times, 0, 1, where=where, transform=axis.get_xaxis_transform(), color=colour,
            alpha=0.18, linewidth=0, step="post",
        )  # fmt: skip


def _scale(low: float, high: float, values: np.ndarray) -> tuple[float, float]:
    """Lower and upper end of an axis for these values, as far as they are near the range."""
    middle, half = (low + high) / 2.0, (high - low) / 2.0 * OVERSHOOT
    shown = np.clip(values[np.isfinite(values)], middle - half, middle + half)
    least, greatest = (shown.min(), shown.max()) if shown.size else (low, high)
    room = max(ROOM[0] * (greatest - least), ROOM[1] * (high - low))
    return float(least - room), float(greatest + room)


def _column(rows: Sequence[Row], field: int, index: int) -> np.ndarray:
    values: list[list[float]] = [row[field] for row in rows]  # type: ignore[misc]
    return np.array([v[index] if index < len(v) else np.nan for v in values], dtype=float)


def distributions(samples: Mapping[str, Sequence[float]], unit: str = "ms") -> str:
    """A histogram for each name; empty text where there is none."""
    shown = {name: np.asarray(values) for name, values in samples.items() if len(values)}
    if not shown:
        return ""
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = pyplot.subplots(
        rows, columns, figsize=(3.7 * columns, 2.2 * rows), squeeze=False
    )
    for axis in axes.ravel()[len(shown) :]:
        axis.set_visible(False)
    for axis, (name, values) in zip(axes.ravel(), shown.items(), strict=False):
        top = percentile(values, 99.5) or 1.0
        # What is zero throughout would be drawn around zero, as if there were negative times.
        span = None if values.any() else (0.0, top)
        axis.hist(np.clip(values, None, top), bins=40, range=span, color=SAFE, alpha=0.85)
        for share, style in ((50, "-"), (99, "--")):
            mark = percentile(values, share)
            axis.axvline(
                mark, color=ASKED, linestyle=style, linewidth=1, label=f"p{share} {mark:.3g}"
            )
        axis.set_title(name, fontsize=9)
        axis.set_xlabel(unit, fontsize=8)
        axis.legend(fontsize=7)
    figure.tight_layout()
    return page_picture(figure)


def timeline(
    faults: Sequence[Mapping[str, Any]],
    changes: Sequence[Mapping[str, Any]],
    commands: Sequence[Mapping[str, Any]],
    end: float,
) -> str:
    """States of the safety node, faults by source and kind, and commands, over time."""
    lanes = sorted({f"{fault['source']}: {fault['kind']}" for fault in faults})
    names = ["state", *lanes]
    figure, axis = pyplot.subplots(figsize=(11, 0.34 * len(names) + 1.1))
    end = max(end, 1e-3)
    starts = [(change["time"], STATE_COLOURS[change["state"]]) for change in changes]
    _bars(axis, starts, 0, end)
    for number, lane in enumerate(lanes, start=1):
        own = [f for f in faults if f"{f['source']}: {f['kind']}" == lane]
        levels = [(max(0.0, f["time"]), LEVEL_COLOURS[f["level"]]) for f in own]
        _bars(axis, levels, number, end)
    for command in (each for each in commands if 0.0 <= each["time"] <= end):
        axis.axvline(command["time"], color="black", linewidth=0.8)
        axis.text(command["time"], -0.62, f" {command['text'][:40]}", fontsize=7, va="bottom")
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.set_ylim(len(names) - 0.4, -1.0)
    axis.set_xlim(0.0, end)
    axis.set_xlabel("time of the bag, s")
    figure.tight_layout()
    return page_picture(figure)


def _bars(axis: Any, starts: Sequence[tuple[float, str]], lane: int, end: float) -> None:
    ends = [time for time, _ in starts[1:]] + [end]
    for (begin, colour), finish in zip(starts, ends, strict=True):
        axis.barh(lane, max(finish - begin, end * 0.002), left=begin, height=0.62, color=colour)
