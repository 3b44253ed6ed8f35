"""Rows of a plan made from held images and a newer state."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_policy.inference.held_images import held_for, moved_on

ROWS = np.arange(12.0).reshape(6, 2)
MS = 1_000_000


def test_only_repeated_images_are_held():
    assert held_for(1000 * MS, [1000 * MS], [1200 * MS]) == 0.0, "the state is only late"
    assert held_for(1000 * MS + 1, [1000 * MS, 1010 * MS], [1200 * MS]) == pytest.approx(0.2)
    assert held_for(1000 * MS + 999, [1000 * MS], [1200 * MS]) == pytest.approx(0.2)
    assert held_for(1000 * MS + 1000, [1000 * MS], [1200 * MS]) == 0.0
    assert held_for(1000 * MS + 1, [1000 * MS], [900 * MS]) == 0.0
    assert held_for(1000 * MS, [0], [1200 * MS]) == 0.0, "images without a stamp"
    assert held_for(1000 * MS + 1, [], [1200 * MS]) == 0.0
    assert held_for(1000 * MS + 1, [1000 * MS], []) == 0.0


def test_rows_are_moved_on_and_the_plan_ends_when_it_would():
    assert moved_on(ROWS, 0.0, 0.1) is ROWS
    moved = moved_on(ROWS, 0.2, 0.1)
    assert moved.shape == ROWS.shape
    assert (moved[:3] == ROWS[0]).all() and (moved[2:] == ROWS[:4]).all()
    assert (moved_on(ROWS, 0.1, 0.1)[1:] == ROWS[:5]).all()
    assert (moved_on(ROWS, 9.0, 0.1) == ROWS[0]).all()
    assert moved_on(np.empty((0, 2)), 0.2, 0.1).shape == (0, 2)


@given(st.integers(1, 40), st.floats(0.0, 2.0), st.floats(0.01, 0.2))
def test_length_never_changes_and_every_row_was_predicted(length, delay, period):
    rows = np.arange(float(length))[:, None]
    moved = moved_on(rows, delay, period)
    assert moved.shape == rows.shape and set(moved.ravel()) <= set(rows.ravel())
    assert (np.diff(moved.ravel()) >= 0.0).all()
