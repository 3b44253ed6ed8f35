"""The demo's figure: pictures of the episode, and requested against safe action with the limits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_cli.episodes.episode_trace import Array, Trace
from vla_contract.action_space import ActionSpace, Dimension

UNLIMITED, SAFE, LIMIT = "#c0392b", "#1f5fa8", "#7f8c8d"
FRAMES = 6  # pictures in a row
FRAME_HEIGHT, ROW_HEIGHT = 2.4, 1.9  # inches
Frame = tuple[float, npt.NDArray[np.uint8]]  # s of the episode, (h, w, 3) rgb
GREATEST_OVERSHOOT = 1.6  # of the range; what the policy asked beyond is cut off at the edge


def rate(values: Array, period: float, *, from_rest: bool) -> Array:
    """Change of a command per s at each control period, shape as `values`.

    from_rest: before the first period the command was 0, as a velocity's; else as in the first.
    """
    before = np.zeros(1) if from_rest else values[:1]
    return np.diff(values, prepend=before) / period


def draw(trace: Trace, space: ActionSpace, title: str, frames: Sequence[Frame], path: Path) -> None:
    """Write the figure: a row of pictures, and a row per dimension, its value and acceleration.

    Args:
        trace: of at least one control period. frames: of the episode, in order; some are chosen.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    heights = [FRAME_HEIGHT * bool(frames), ROW_HEIGHT * len(space.dimensions)]
    figure = Figure(figsize=(13, sum(heights) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(
        1 + bool(frames), 1, height_ratios=[h for h in heights if h], squeeze=False
    )[:, 0]
    if frames:
        _draw_frames(parts[0], frames)
    _draw_dimensions(parts[-1], trace, space)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110)


def _draw_frames(part: Any, frames: Sequence[Frame]) -> None:
    """Some of them side by side, the first and the last among them."""
    chosen = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    for axis, index in zip(part.subplots(1, FRAMES), chosen, strict=True):
        time, picture = frames[index]
        axis.imshow(picture)
        axis.set_title(f"{time:.2f} s", fontsize=9)
        axis.set_axis_off()


def _draw_dimensions(part: Any, trace: Trace, space: ActionSpace) -> None:
    times, requested, safe = trace.arrays()
    axes = part.subplots(len(space.dimensions), 2, sharex=True, squeeze=False)
    for row, dimension in enumerate(space.dimensions):
        limited = trace.limited_in(dimension.name)
        _draw_value(axes[row][0], times, requested[:, row], safe[:, row], limited, dimension)
        _draw_acceleration(axes[row][1], times, safe[:, row], space.period, limited, dimension)
    axes[0][0].set_title("command")
    axes[0][1].set_title("its rate of change")
    axes[0][0].legend(loc="upper right", fontsize=7, ncol=4)
    for axis in axes[-1]:
        axis.set_xlabel("time, s")


def _draw_value(
    axis: Any, times: Array, requested: Array, safe: Array, limited: Any, dimension: Dimension
) -> None:
    _shade(axis, times, limited)
    axis.plot(times, requested, color=UNLIMITED, linewidth=0.9, label="requested")
    axis.plot(times, safe, color=SAFE, linewidth=1.3, label="safe")
    for index, bound in enumerate((dimension.low, dimension.high)):
        axis.axhline(
            bound, color=LIMIT, linestyle="--", linewidth=0.8, label="limit" if not index else None
        )
    middle = (dimension.low + dimension.high) / 2.0
    half = (dimension.high - dimension.low) / 2.0 * GREATEST_OVERSHOOT
    axis.set_ylim(middle - half, middle + half)
    unit = "" if dimension.unit == "1" else dimension.unit
    axis.set_ylabel(f"{dimension.name}\n{unit}", fontsize=8)


def _draw_acceleration(
    axis: Any, times: Array, safe: Array, period: float, limited: Any, dimension: Dimension
) -> None:
    _shade(axis, times, limited)
    # A velocity's rate is an acceleration; that of a position or an effort is a velocity.
    velocity = dimension.kind.is_velocity
    bound = dimension.normal.acceleration if velocity else dimension.normal.velocity
    axis.plot(times, rate(safe, period, from_rest=velocity), color=SAFE, linewidth=0.9)
    for sign in (-1.0, 1.0):
        axis.axhline(sign * bound, color=LIMIT, linestyle="--", linewidth=0.8)
    axis.set_ylim(-bound * GREATEST_OVERSHOOT, bound * GREATEST_OVERSHOOT)
    unit = {"m/s": "m/s²", "rad/s": "rad/s²", "1": "1/s"}.get(dimension.unit, dimension.unit + "/s")
    axis.set_ylabel(unit, fontsize=8)


def _shade(axis: Any, times: Array, limited: Any) -> None:
    axis.fill_between(
        times, 0, 1, where=limited, transform=axis.get_xaxis_transform(),
        color="#f1c40f", alpha=0.25, linewidth=0, step="post", label="limited",
    )  # fmt: skip
