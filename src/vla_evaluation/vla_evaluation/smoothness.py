"""How smooth a motion is, and how much it jumps where one chunk takes over from another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from vla_evaluation.action_metrics import _names
from vla_evaluation.metric_errors import Array, EvaluationError, above_zero, finite

# As in the reference code of the spectral arc length.
CUTOFF = 10.0  # Hz, greatest frequency
THRESHOLD = 0.05  # of the normalised amplitude, below which the spectrum ends
PADDING = 4  # powers of two that the transform is longer than the movement


@dataclass(frozen=True)
class Smoothness:
    """Of one movement.

    jerk_rms, jerk_max: of the second difference of the velocity, m/s^3 (rad/s^3).
    log_dimensionless_jerk, spectral_arc_length: no unit, nearer to 0 is smoother; NaN for a
    movement without speed.
    """

    jerk_rms: float
    jerk_max: float
    log_dimensionless_jerk: float
    spectral_arc_length: float


def smoothness(velocity: Any, period: float) -> Smoothness:
    """Jerk and spectral arc length of a movement.

    Args:
        velocity: over time, shape [N] or [N, D], m/s (rad/s); of several dimensions the jerk's
            norm and the speed's spectrum are taken. period: between two values, s.

    Raises:
        EvaluationError: fewer than 3 values, not finite, or a period that is not above 0.
    """
    above_zero("period", period, "s")
    v = finite("velocity", velocity)
    if v.ndim not in (1, 2) or len(v) < 3:
        raise EvaluationError(f"velocity has shape {v.shape}; accepted: [N] or [N, D], N >= 3")
    jerk = np.diff(v, 2, axis=0) / period**2
    size = np.abs(jerk) if v.ndim == 1 else np.linalg.norm(jerk, axis=1)
    speed = np.abs(v) if v.ndim == 1 else np.linalg.norm(v, axis=1)
    still = float(speed.max()) == 0.0
    return Smoothness(
        jerk_rms=float(np.sqrt(np.mean(size**2))),
        jerk_max=float(size.max()),
        log_dimensionless_jerk=float("nan") if still else log_dimensionless_jerk(speed, period),
        spectral_arc_length=float("nan") if still else spectral_arc_length(speed, period),
    )


def log_dimensionless_jerk(speed: Any, period: float) -> float:
    """Minus the logarithm of the dimensionless jerk; a constant speed gives infinity.

    After Balasubramanian et al. 2015, "On the analysis of movement smoothness", eq. 4.

    Args:
        speed: shape [N], N >= 3. period: s.

    Raises:
        EvaluationError: see `smoothness`, or a movement without speed.
    """
    movement, rate = _movement(speed, period)
    jerk = np.diff(movement, 2) * rate**2
    duration = len(movement) * period
    scale = duration**3 / np.abs(movement).max() ** 2
    with np.errstate(divide="ignore"):
        return float(-np.log(scale * np.sum(jerk**2) * period))


def spectral_arc_length(speed: Any, period: float) -> float:
    """Spectral arc length (SPARC; Balasubramanian et al. 2015, eq. 9 and its reference code).

    Args:
        speed: shape [N], N >= 3. period: s.

    Returns:
        At most 0; -1 at best in practice, more negative for a movement less smooth.

    Raises:
        EvaluationError: see `smoothness`, or a movement without speed.
    """
    movement, rate = _movement(speed, period)
    length = int(2 ** (np.ceil(np.log2(len(movement))) + PADDING))
    frequencies = np.arange(length) * (rate / length)
    amplitudes = np.abs(np.fft.fft(movement, length))
    amplitudes /= amplitudes.max()
    kept = frequencies <= min(CUTOFF, rate / 2.0)  # beyond, the spectrum is mirrored
    frequencies, amplitudes = frequencies[kept], amplitudes[kept]
    loud = np.flatnonzero(amplitudes >= THRESHOLD)
    band = slice(loud[0], loud[-1] + 1)
    frequencies, amplitudes = frequencies[band], amplitudes[band]
    width = frequencies[-1] - frequencies[0]
    if width == 0.0:
        return 0.0
    steps = np.hypot(np.diff(frequencies) / width, np.diff(amplitudes))
    return float(-steps.sum())


def _movement(speed: Any, period: float) -> tuple[Array, float]:
    movement = finite("speed", speed, 1)
    above_zero("period", period, "s")
    if len(movement) < 3:
        raise EvaluationError(f"speed has {len(movement)} values; accepted: at least 3")
    if np.abs(movement).max() == 0.0:
        raise EvaluationError("speed is 0 throughout; accepted: a movement")
    return movement, 1.0 / period


@dataclass(frozen=True)
class Seams:
    """Where one chunk takes over from another.

    jump_mean, jump_max: per dimension, |new chunk - old chunk| at the moment of the take-over, in
    the dimension's unit; NaN without a seam. gaps: take-overs at which the old chunk had already
    run out; they have no jump. seams: take-overs with one.
    """

    jump_mean: dict[str, float]
    jump_max: dict[str, float]
    seams: int
    gaps: int


@dataclass(frozen=True)
class TimedChunk:
    """Actions of shape [T, D]: row i holds at `stamp + i * period`; taken over at `since`, s."""

    stamp: float
    period: float
    actions: Any
    since: float


def seams(chunks: Sequence[TimedChunk], names: Sequence[str] | None = None) -> Seams:
    """Discontinuity between each chunk and the one before it, at the time of the take-over.

    Between two rows a chunk is linear, as the sequencer takes it; the last row holds for one
    period.

    Args:
        chunks: in the order of `since`. names: of the D dimensions.

    Raises:
        EvaluationError: fewer than two chunks, widths that differ, an order that goes back, or not
            finite.
    """
    if len(chunks) < 2:
        raise EvaluationError(f"{len(chunks)} chunks; accepted: at least 2")
    tables = [finite("actions", chunk.actions, 2) for chunk in chunks]
    if len({table.shape[1] for table in tables}) > 1:
        raise EvaluationError("chunks have different widths; accepted: one width")
    if any(b.since < a.since for a, b in pairwise(chunks)):
        raise EvaluationError("chunks are out of order; accepted: in the order of `since`")
    jumps, gaps = [], 0
    for (old, before), (new, after) in pairwise(zip(chunks, tables, strict=True)):
        left, right = _at(old, before, new.since), _at(new, after, new.since)
        if left is None or right is None:
            gaps += 1
        else:
            jumps.append(np.abs(right - left))
    # Chunks that never overlap, as of a slow camera, have gaps only.
    table = np.array(jumps) if jumps else np.full((1, tables[0].shape[1]), np.nan)
    chosen = _names(names, table.shape[1])
    return Seams(
        jump_mean=dict(zip(chosen, table.mean(axis=0).tolist(), strict=True)),
        jump_max=dict(zip(chosen, table.max(axis=0).tolist(), strict=True)),
        seams=len(jumps),
        gaps=gaps,
    )


def _at(chunk: TimedChunk, actions: Array, time: float) -> Array | None:
    above_zero("period", chunk.period, "s")
    row = (time - chunk.stamp) / chunk.period
    if row >= len(actions):
        return None
    share, i = math.modf(max(row, 0.0))
    first, second = actions[int(i) : int(i) + 2][[0, -1]]
    between: Array = first + (second - first) * share
    return between
