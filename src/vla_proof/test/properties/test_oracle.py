"""The judge finds what it must find, in commands that are made by hand."""

import math

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_proof.properties.oracle import Oracle, Sample

T = 0.1
NORMAL = Limits(1.0, 2.0, 20.0, 1.0)
EMERGENCY = Limits(1.0, 4.0, 40.0, 3.0)


def space(*kinds, norms=Norms()):  # noqa: B008
    dimensions = tuple(
        Dimension(
            f"d{i}", kind, kind.units[0], -1.0, 1.0, -1.0, 1.0, NORMAL, EMERGENCY, "f",
            Output("o", "std_msgs/msg/Float64", "data"),
        )
        for i, kind in enumerate(kinds)
    )  # fmt: skip
    return ActionSpace("s", 1.0 / T, 10, T, 3.0, dimensions, norms)


def broken(values, kind=Kind.LINEAR_VELOCITY, start=0.0, emergency=False, scales=None):
    oracle = Oracle(space(kind), [start])
    for k, value in enumerate(values):
        oracle.take(Sample([value], emergency, scales[k] if scales else 1.0))
    return {one.what for one in oracle.bounds.broken}


UP = [0.2, 0.4, 0.6, 0.8, 0.9, 0.95]


def test_a_smooth_rise_breaks_nothing_and_comes_near_its_bounds():
    oracle = Oracle(space(Kind.LINEAR_VELOCITY), [0.0])
    for value in UP:
        oracle.take(Sample([value], False))
    assert not oracle.bounds.broken
    assert oracle.bounds.commands == len(UP)
    assert oracle.bounds.worst["acceleration"] == pytest.approx(1.0)
    assert oracle.bounds.worst["jerk"] == pytest.approx(1.0)
    assert not oracle.at_rest


@pytest.mark.parametrize(
    ("values", "start", "what"),
    [
        ([0.2, 0.41], 0.0, {"acceleration"}),
        ([0.1, 0.0], 0.2, set()),
        ([0.05], 0.2, {"deceleration"}),
        ([0.15, -0.05], 0.2, {"acceleration"}),  # across 0 both bound
        ([0.2, 0.3, 0.2, 0.3], 0.0, set()),
        ([0.2, 0.2, 0.4, 0.4], 0.0, set()),
        ([0.2, 0.4, 0.39, 0.55], 0.0, {"jerk"}),
        ([1.0, 1.05], 1.0, {"range", "velocity"}),
        ([math.nan], 0.0, {"finite"}),
        ([math.inf], 0.0, {"finite"}),
    ],
)
def test_what_is_broken_is_named(values, start, what):
    assert broken(values, start=start) == what


def test_the_emergency_set_allows_more_and_is_a_bound_too():
    assert broken([0.75, 0.6], start=0.9) == {"deceleration"}
    assert broken([0.75, 0.6], start=0.9, emergency=True) == set()
    assert broken([0.5], start=0.9, emergency=True) == {"deceleration"}


def test_positions_are_differentiated_once_more():
    assert broken([0.02, 0.06, 0.12], Kind.JOINT_POSITION) == set()
    assert broken([0.03], Kind.JOINT_POSITION) == {"acceleration", "jerk"}
    assert broken([0.02, 0.06, 0.12, 0.2, 0.3, 0.41], Kind.GRIPPER) == {"velocity"}


def test_what_turns_back_is_at_rest_for_a_moment_but_not_settled():
    oracle = Oracle(space(Kind.JOINT_POSITION), [0.0])
    seen = []
    for value in (-0.02, -0.04, -0.04, -0.04):
        oracle.take(Sample([value], False, 1.0))
        seen.append((oracle.at_rest, oracle.settled))
    assert seen == [(False, False), (False, False), (True, False), (True, True)]


def test_a_fallen_bound_is_met_without_turning_back():
    scales = [1.0] * 3 + [0.2] * 9
    down = [0.2, 0.4, 0.5, 0.5, 0.4, 0.3, 0.2, 0.2]
    assert broken(down, scales=scales) == set()
    assert broken([*down[:6], 0.35], scales=scales) == {"convergence"}
    assert broken([*down, 0.25], scales=scales) == {"velocity"}
    assert broken([0.2, 0.4, 0.5, *[0.5] * 80], scales=[1.0] * 3 + [0.2] * 80) == {
        "time to converge"
    }


def test_norms_bind_together_and_may_fall():
    def norm(rows, norms):
        oracle = Oracle(space(Kind.LINEAR_VELOCITY, Kind.LINEAR_VELOCITY, norms=norms), [0.0, 0.0])
        for row, scale in rows:
            oracle.take(Sample(row, False, scale))
        return {one.what for one in oracle.bounds.broken}

    rise = [([0.2, 0.2], 1.0), ([0.35, 0.35], 1.0)]
    assert norm(rise, Norms(0.5)) == set()
    assert norm(rise, Norms(0.4)) == {"norm"}
    falls = [*rise, ([0.33, 0.33], 0.5), ([0.28, 0.28], 0.5), ([0.19, 0.19], 0.5)]
    assert norm(falls, Norms(0.6)) == set()
    assert norm([*falls, ([0.25, 0.25], 0.5)], Norms(0.6)) == {"norm"}
    assert norm([*rise, ([0.3, 0.3], 0.5), ([0.34, 0.34], 0.5)], Norms(0.6)) >= {
        "norm's convergence"
    }
