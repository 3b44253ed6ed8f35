"""The same picture again: frozen where the robot moves, or where a camera has noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_perception.cameras.frozen_camera import FrozenWatch, moved, same
from vla_perception.observe.stamped_streams import Drop

PICTURE = np.random.default_rng(4).integers(0, 255, (48, 64, 3), dtype=np.uint8)
REST = {"joint_states": (0.0, 1.0)}


def run(watch, seconds, positions, pictures=lambda now: PICTURE):
    """The defects over a while at 20 Hz, by time."""
    found = {}
    for i in range(round(seconds * 20) + 1):
        now = i / 20
        defect = watch.check(pictures(now), now, positions(now))
        if defect is not None:
            found[now] = defect
    return found


def test_a_robot_at_rest_may_see_the_same_for_ever():
    assert run(FrozenWatch(1.0, 0.02), 60.0, lambda now: REST) == {}


def test_a_robot_that_moves_sees_something_else():
    found = run(FrozenWatch(1.0, 0.02), 3.0, lambda now: {"joint_states": (0.1 * now, 1.0)})
    assert min(found) == pytest.approx(1.0)
    assert len(found) == 41
    defect = found[1.0]
    assert defect.reason is Drop.FROZEN
    assert "frozen: the same picture for 1.0 s, while the robot moved by 0.100" in defect.text


def test_the_time_runs_from_where_the_robot_begins_to_move():
    def later(now):
        return {"joint_states": (max(0.0, 0.1 * (now - 2.0)), 1.0)}

    assert min(run(FrozenWatch(1.0, 0.02), 5.0, later)) == pytest.approx(3.0)
    assert min(run(FrozenWatch(1.0, 0.02, at_rest=True), 5.0, later)) == 1.0


def test_the_positions_may_be_the_caller_s_own():
    positions, watch = {}, FrozenWatch(1.0, 0.02)

    def newest(now):
        positions["joint_states"] = (now,)
        return positions

    assert min(run(watch, 2.0, newest)) == 1.0


def test_a_camera_with_noise_is_frozen_also_at_rest():
    assert min(run(FrozenWatch(1.0, 0.02, at_rest=True), 3.0, lambda now: REST)) == 1.0


def test_a_picture_that_differs_by_one_value_ends_it():
    def pictures(now):
        changed = PICTURE.copy()
        changed[37, 11, 2] ^= round(now * 20) % 10 == 0
        return changed

    watch = FrozenWatch(1.0, 0.02, at_rest=True)
    assert run(watch, 5.0, lambda now: REST, pictures) == {}


def test_off_reset_and_other_joints():
    assert run(FrozenWatch(0.0, 0.0, at_rest=True), 5.0, lambda now: REST) == {}
    watch = FrozenWatch(1.0, 0.02, at_rest=True)
    run(watch, 0.9, lambda now: REST)
    watch.reset()
    assert watch.check(PICTURE, 9.0, REST) is None
    assert moved({"a": (0.0,)}, {"b": (5.0,)}) == 0.0
    assert moved({"a": (0.0,)}, {"a": (5.0, 6.0)}) == 0.0
    assert moved({"a": (0.0, float("nan"))}, {"a": (-0.5, 1.0)}) == 0.5


@given(st.integers(0, 47), st.integers(0, 63), st.integers(0, 2), st.integers(1, 255))
def test_same_means_every_byte(row, column, channel, change):
    other = PICTURE.copy()
    assert same(PICTURE, other)
    other[row, column, channel] ^= change
    assert not same(PICTURE, other)
    assert not same(PICTURE, PICTURE[:-1])


def test_motion_at_the_limit_is_motion():
    watch = FrozenWatch(1.0, 0.25)
    assert watch.check(PICTURE, 0.0, {"a": (0.0,)}) is None
    assert watch.check(PICTURE, 1.0, {"a": (0.25,)}) is not None
