import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_evaluation.metric_errors import EvaluationError
from vla_evaluation.smoothness import (
    TimedChunk,
    log_dimensionless_jerk,
    seams,
    smoothness,
    spectral_arc_length,
)

TIME = np.arange(-1, 1, 0.01)
BELL = np.exp(-5 * TIME**2)


def test_the_papers_reference_code_gives_the_same():
    # The doctests of the authors' code (siva82kb/smoothness).
    assert spectral_arc_length(BELL, 0.01) == pytest.approx(-1.41403, abs=1e-5)
    assert log_dimensionless_jerk(BELL, 0.01) == pytest.approx(-5.81636, abs=1e-5)


@given(st.floats(0.1, 10.0), st.floats(0.2, 5.0))
def test_neither_measure_depends_on_size_or_duration(size, stretch):
    # The jerk measure has no unit; the spectrum's cut-off is in Hz, so only the size is free.
    assert spectral_arc_length(size * BELL, 0.01) == pytest.approx(-1.41403, abs=1e-5)
    assert log_dimensionless_jerk(size * BELL, 0.01 * stretch) == pytest.approx(-5.81636, abs=1e-5)


@given(st.integers(3, 8), st.floats(0.3, 0.6))
def test_a_shaking_movement_is_less_smooth(frequency, size):
    shaken = BELL * (1 + size * np.sin(2 * np.pi * frequency * TIME))
    assert spectral_arc_length(shaken, 0.01) < spectral_arc_length(BELL, 0.01)
    assert log_dimensionless_jerk(shaken, 0.01) < log_dimensionless_jerk(BELL, 0.01)


@pytest.mark.parametrize("period", [0.02, 0.05, 0.1, 0.2])
def test_slow_sampling_does_not_make_a_movement_less_smooth(period):
    # A minimum-jerk movement of 2 s; beyond half the sampling rate its spectrum is mirrored.
    place = np.arange(0.0, 2.0 + period / 2, period) / 2.0
    speed = 30 * place**2 - 60 * place**3 + 30 * place**4
    assert spectral_arc_length(speed, period) == pytest.approx(-1.4, abs=0.05)


def arc_length_by_definition(speed, period):
    """Eq. 9 summed up bin by bin, with a Fourier transform as its definition says."""
    count, rate = len(speed), 1.0 / period
    length = 16 * 2 ** math.ceil(math.log2(count))
    spectrum = [
        abs(sum(v * np.exp(-2j * np.pi * k * n / length) for n, v in enumerate(speed)))
        for k in range(length)
    ]
    kept = [
        (k * rate / length, size / max(spectrum))
        for k, size in enumerate(spectrum)
        if k * rate / length <= min(10.0, rate / 2)
    ]
    loud = [i for i, (_, size) in enumerate(kept) if size >= 0.05]
    kept = kept[loud[0] : loud[-1] + 1]
    width = kept[-1][0] - kept[0][0]
    return -sum(math.hypot((f2 - f1) / width, s2 - s1) for (f1, s1), (f2, s2) in pairwise(kept))


@pytest.mark.parametrize("period", [1 / 64, 1 / 16, 1 / 25])  # with a bin at 10 Hz, and at half
def test_the_spectrum_ends_where_the_definition_says(period):
    noise = np.random.default_rng(3).normal(size=24)
    wave = np.cos(2 * np.pi * 5.0 * period * np.arange(48))  # nothing near 0 Hz
    for movement in (noise, wave, noise[:3]):
        expected = arc_length_by_definition(movement, period)
        assert spectral_arc_length(movement, period) == pytest.approx(expected, rel=1e-9)


def test_a_spectrum_of_one_line_has_no_length():
    assert spectral_arc_length([1.0, 2.0, 1.0], 1e-4) == 0.0


def test_a_movement_has_the_figures_of_its_speed():
    there = np.column_stack([3 * BELL, 4 * BELL])
    found = smoothness(there, 0.01)
    arc, jerk = spectral_arc_length(5 * BELL, 0.01), log_dimensionless_jerk(5 * BELL, 0.01)
    assert found.spectral_arc_length == pytest.approx(arc, rel=1e-12)
    assert found.log_dimensionless_jerk == pytest.approx(jerk, rel=1e-12)


def test_jerk_is_the_second_difference_of_velocity():
    result = smoothness([0.0, 0.0, 1.0, 1.0], 0.5)
    assert result.jerk_max == 4.0
    assert result.jerk_rms == pytest.approx(4.0)
    both = smoothness([[0, 0], [0, 0], [3, 4], [3, 4]], 1.0)
    assert both.jerk_max == 5.0


@pytest.mark.filterwarnings("error")
def test_standing_still_has_no_spectrum_and_a_constant_speed_no_jerk():
    still = smoothness(np.zeros(5), 0.1)
    assert still.jerk_max == 0.0 and math.isnan(still.spectral_arc_length)
    assert smoothness(np.ones(5), 0.1).log_dimensionless_jerk == math.inf


@pytest.mark.parametrize(
    "call",
    [
        lambda: smoothness([], 0.1),
        lambda: smoothness([1, 2], 0.1),
        lambda: smoothness([1, 2, math.nan], 0.1),
        lambda: smoothness([1, 2, 3], 0.0),
        lambda: smoothness([[[1]], [[2]], [[3]]], 0.1),
        lambda: spectral_arc_length([0, 0, 0], 0.1),
        lambda: log_dimensionless_jerk([1, 2], 0.1),
    ],
)
def test_bad_movements_are_errors(call):
    with pytest.raises(EvaluationError, match="accepted"):
        call()


def chunk(stamp, actions, since, period=0.1):
    return TimedChunk(stamp, period, np.array(actions, dtype=float)[:, None], since)


def test_a_seam_is_the_jump_at_the_take_over():
    first = chunk(0.0, [0, 1, 2, 3], 0.0)
    second = chunk(0.1, [5, 6, 7, 8], 0.25)
    result = seams([first, second])
    # Old: half-way from 2 to 3; new: half-way from 6 to 7.
    assert result.jump_max == {"dimension_0": pytest.approx(4.0)}
    assert (result.seams, result.gaps) == (1, 0)


@given(st.floats(0.0, 0.5), st.floats(-2, 2), st.floats(-2, 2))
def test_two_chunks_of_one_line_have_no_jump(since, slope, start):
    rows = start + slope * 0.1 * np.arange(20)
    line = [chunk(0.0, rows, 0.0), chunk(0.3, rows + slope * 0.3, 0.3 + since)]
    assert seams(line).jump_max["dimension_0"] == pytest.approx(0.0, abs=1e-9)


def test_a_take_over_after_the_end_is_a_gap():
    chunks = [chunk(0.0, [1, 1], 0.0), chunk(5.0, [2, 2], 5.0), chunk(5.1, [2, 2], 5.1)]
    result = seams(chunks, ["x"])
    assert (result.seams, result.gaps, result.jump_mean) == (1, 1, {"x": 0.0})


def test_between_its_rows_a_chunk_is_linear_and_before_and_behind_them_constant():
    old = chunk(1.0, [0, 1, 3], 0.0)
    for since, expected in ((0.5, 0.0), (1.0, 0.0), (1.15, 2.0), (1.2, 3.0), (1.29, 3.0)):
        result = seams([old, chunk(since, [0.0], since)])
        assert result.jump_max["dimension_0"] == pytest.approx(expected), since
    assert seams([old, chunk(1.31, [0.0], 1.31)]).gaps == 1


def test_one_moment_may_have_two_chunks():
    assert seams([chunk(0, [1], 0), chunk(0, [2], 0)], ["x"]).jump_max == {"x": 1.0}


def test_chunks_that_never_overlap_have_gaps_and_no_jump():
    result = seams([chunk(0, [1], 0), chunk(9, [1], 9)], ["x"])
    assert (result.seams, result.gaps) == (0, 1) and math.isnan(result.jump_max["x"])


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [chunk(0, [1], 0)],
        [chunk(0, [1], 1), chunk(0, [1], 0)],
        [chunk(0, [1], 0, period=0.0), chunk(0, [1], 0.05)],
        [TimedChunk(0, 0.1, [[1, 2]], 0), TimedChunk(0, 0.1, [[1]], 0)],
    ],
)
def test_bad_chunks_are_errors(chunks):
    with pytest.raises(EvaluationError, match="accepted"):
        seams(chunks)
