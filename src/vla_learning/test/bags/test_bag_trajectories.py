"""A trajectory's points count at their times, as joint_trajectory_controller does them."""

from types import SimpleNamespace

import numpy as np
import pytest

from vla_learning.bags.bag_trajectories import Trajectories, TrajectoryError

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


def at(seconds):
    return NOW + round(seconds * SECOND)


def message(points, names=("a",), **derivatives):
    """points: (time_from_start in s, position of each joint)."""
    made = []
    for number, (seconds, *positions) in enumerate(points):
        more = {name: np.array(values[number]) for name, values in derivatives.items()}
        after = SimpleNamespace(sec=int(seconds), nanosec=round(seconds % 1 * SECOND))
        made.append(
            SimpleNamespace(
                positions=np.array(positions, float), time_from_start=after,
                velocities=more.get("velocities", np.zeros(0)),
                accelerations=more.get("accelerations", np.zeros(0)),
            )
        )  # fmt: skip
    return SimpleNamespace(joint_names=list(names), points=made)


def values(trajectories, *seconds):
    times = np.array([at(each) for each in seconds], np.int64)
    return trajectories.at(times)[:, 0].round(9).tolist()


def moving(trajectories, *seconds):
    return trajectories.moving(np.array([at(each) for each in seconds], np.int64)).tolist()


@pytest.fixture
def trajectories():
    return Trajectories(["a"])


def test_points_are_due_at_their_times_and_linear_between(trajectories):
    trajectories.accept(message([(0.5, 1.0), (1.0, 3.0)]), 0, at(0))
    # Nothing tells where it was: the first point's place, then the points, then the last one.
    assert values(trajectories, -1, 0, 0.5, 0.75, 1.0, 9.0) == [1, 1, 1, 2, 3, 3]


def test_it_begins_where_the_joints_were_measured(trajectories):
    trajectories.observe({"a": 0.0, "other": 5.0})
    trajectories.accept(message([(2.0, 1.0)]), 0, at(0))
    assert values(trajectories, -1, 0, 0.5, 1.0, 2.0) == [0, 0, 0.25, 0.5, 1]
    assert moving(trajectories, -1, 0.5, 2.0, 2.1) == [False, True, True, False]


def test_the_stamp_says_when_it_begins(trajectories):
    trajectories.observe({"a": 0.0})
    trajectories.accept(message([(0.0, 1.0), (1.0, 2.0)]), at(1.0), at(0))
    assert values(trajectories, 0, 0.5, 1.0, 1.5, 2.0) == [0, 0.5, 1, 1.5, 2]


def test_a_replaced_one_is_cut_where_the_next_begins(trajectories):
    trajectories.observe({"a": 0.0})
    trajectories.accept(message([(2.0, 2.0)]), 0, at(0))
    trajectories.accept(message([(0.5, 0.0)]), 0, at(1.0))
    assert values(trajectories, 0.9, 1.0, 1.25, 1.5, 2.0) == [0.9, 1.0, 0.5, 0, 0]


def test_an_empty_one_holds_the_joints_where_they_are(trajectories):
    trajectories.observe({"a": 0.0})
    trajectories.accept(message([(2.0, 2.0)]), 0, at(0))
    trajectories.accept(message([]), 0, at(1.0))
    assert values(trajectories, 0.5, 1.0, 1.5, 3.0) == [0.5, 1, 1, 1]
    assert moving(trajectories, 0.5, 1.5) == [True, False]
    trajectories.accept(message([(1.0, 0.0)]), 0, at(4.0))
    assert values(trajectories, 4.0, 4.5, 5.0) == [1, 0.5, 0]


def test_an_empty_one_at_first_holds_what_was_measured(trajectories):
    with pytest.raises(TrajectoryError, match="nothing tells where the joints are"):
        trajectories.accept(message([]), 0, at(0))
    trajectories.observe({"a": 0.7})
    trajectories.accept(message([]), 0, at(0))
    assert values(trajectories, 0, 1) == [0.7, 0.7]


def test_a_stream_of_setpoints_counts_from_when_each_came(trajectories):
    """As the safety node sends them: the point is due when the next one comes."""
    trajectories.observe({"a": 9.0})
    for tick in range(5):
        trajectories.accept(message([(0.02, float(tick))]), 0, at(tick * 0.02))
    assert values(trajectories, 0, 0.01, 0.02, 0.07, 5.0) == [0, 0, 1, 3, 4]
    assert not any(moving(trajectories, 0.01, 0.03, 0.07))


def test_a_stamp_of_a_setpoint_that_was_recorded_late_still_counts(trajectories):
    trajectories.accept(message([(0.02, 1.0)]), at(0), at(0.3))
    assert values(trajectories, 0, 0.3) == [1, 1]


def test_velocities_and_accelerations_shape_the_way(trajectories):
    """Rest to rest: cubic with velocities, quintic with accelerations; half way is the same."""
    points = [(0.0, 0.0), (1.0, 1.0)]
    rest = [[0.0], [0.0]]
    trajectories.accept(message(points, velocities=rest), 0, at(0))
    assert values(trajectories, 0.25, 0.5, 1.0) == [0.15625, 0.5, 1]  # 3 t² - 2 t³
    trajectories.restart()
    trajectories.accept(message(points, velocities=rest, accelerations=rest), 0, at(0))
    assert values(trajectories, 0.25, 0.5) == [0.103515625, 0.5]  # 10 t³ - 15 t⁴ + 6 t⁵


def test_accelerations_without_velocities_are_linear(trajectories):
    points = [(0.0, 0.0), (1.0, 1.0)]
    trajectories.accept(message(points, accelerations=[[0.0], [0.0]]), 0, at(0))
    assert values(trajectories, 0.25) == [0.25]


def test_the_next_one_goes_on_with_the_speed_of_the_one_before(trajectories):
    speeds = [[1.0], [1.0]]
    trajectories.accept(message([(0.0, 0.0), (2.0, 2.0)], velocities=speeds), 0, at(0))
    trajectories.accept(message([(1.0, 1.5)], velocities=[[0.0]]), 0, at(1.0))
    # From 1 at 1/s to 1.5 at rest within 1 s.
    assert values(trajectories, 1.0, 1.5, 2.0) == [1, 1.375, 1.5]


def test_joints_are_found_by_their_names():
    both = Trajectories(["a", "b"])
    both.accept(message([(0.0, 1.0, 2.0, 3.0)], names=("b", "x", "a")), 0, at(0))
    assert both.at(np.array([at(1)]))[0].tolist() == [3, 1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: message([(0.0, 1.0)], names=("b",)), "no joint a"),
        (lambda: message([(1.0, 1.0), (0.5, 2.0)]), "not one after the other in time"),
        (lambda: message([(1.0, np.nan)]), "not a finite number"),
        (lambda: message([(1.0,)]), "no position for each joint"),
    ],
)
def test_what_a_controller_refuses_is_refused(trajectories, make, words):
    with pytest.raises(TrajectoryError, match=words):
        trajectories.accept(make(), 0, at(0))
    assert trajectories.is_empty


def test_one_that_ended_before_it_came_changes_nothing(trajectories):
    trajectories.observe({"a": 0.0})
    trajectories.accept(message([(2.0, 2.0)]), 0, at(0))
    with pytest.raises(TrajectoryError, match="ended before it came"):
        trajectories.accept(message([(0.1, 9.0), (0.2, 9.0)]), at(0.2), at(1.0))
    assert values(trajectories, 1.5) == [1.5]


def test_of_two_of_one_time_the_later_one_counts(trajectories):
    trajectories.accept(message([(0.02, 1.0)]), 0, at(0))
    trajectories.accept(message([(0.02, 2.0)]), 0, at(0))
    assert values(trajectories, 0.5) == [2]
    with pytest.raises(TrajectoryError, match="older than the one before it"):
        trajectories.accept(message([(0.02, 3.0)]), 0, at(-1))
