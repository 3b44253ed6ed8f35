"""Boundaries at which a changed sign, factor or tolerance would brake wrongly."""

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_safety.limits.braking import Rates
from vla_safety.limits.limiter import Boundary, Limit, MotionLimiter

PERIOD = 0.02


def limiter(count, normal, emergency):
    made = tuple(
        Dimension(
            f"d{i}", Kind.LINEAR_VELOCITY, "m/s", -2.0, 2.0, -2.0, 2.0, normal, emergency, "f",
            Output("out", "std_msgs/msg/Float64", "data"),
        )
        for i in range(count)
    )  # fmt: skip
    return MotionLimiter(ActionSpace("test", 1.0 / PERIOD, 10, PERIOD, 10.0, made, Norms()))


def face(coefficients, remaining):
    return [Boundary(coefficients, remaining, Limit.WORKSPACE, "face")]


@pytest.mark.parametrize("coefficient", [4.0, -4.0, 0.25])
def test_a_coefficient_scales_the_way_that_is_left(coefficient):
    sign = 1.0 if coefficient > 0.0 else -1.0
    moved, made = 0.0, limiter(1, Limits(0.5, 1.0, 10.0), Limits(0.5, 4.0, 80.0))
    for _ in range(120):
        step = made.step([0.5 * sign], boundaries=face((coefficient,), 0.8 - moved))
        assert not step.emergency
        moved += coefficient * step.safe[0] * PERIOD
    # A quarter of 0.5 m/s for 2.4 s does not come there; the others end just before it.
    assert moved <= 0.8 and (moved >= 0.8 - 1e-3 or coefficient == 0.25)


def test_braking_that_leads_too_far_by_rounding_only_needs_no_emergency():
    way = Rates(PERIOD, 0.5, 1.0, 10.0 * PERIOD).stopping_distance(0.5, 0.0)
    found = []
    for share in (5e-7, 5e-5):
        made = limiter(1, Limits(0.5, 1.0, 10.0), Limits(0.5, 4.0, 80.0))
        made.reset([0.5])
        found.append(made.step([0.5], boundaries=face((1.0,), way * (1.0 - share))).emergency)
    assert found == [False, True]


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_an_axis_that_turns_to_lead_away_stops_at_once_where_the_brake_does_not_suffice(side):
    # T = 0.02: from 0.18 to 0.1 with -4, the greatest change of a period. The request leads on
    # to -0.06, away from the plane; the brake would come nearer once more, to 0.01.
    made = limiter(2, Limits(0.5, 10.0, 200.0), Limits(0.5, 40.0, 800.0))
    made.reset([0.18 * side, 0.3 * side])
    first = made.step([-0.5 * side, 0.3 * side])
    assert first.safe == pytest.approx([0.1 * side, 0.3 * side])
    step = made.step([-0.5 * side, 0.3 * side], boundaries=face((side, side), 0.0))
    # The emergency set has both at rest in this period: 5 and 15 m/s2, of 16 more or less.
    assert step.emergency
    assert step.safe == pytest.approx([0.0, 0.0], abs=1e-12)


def test_an_axis_that_leads_away_alone_goes_on_where_another_brakes_hard():
    made = limiter(2, Limits(0.5, 10.0, 200.0), Limits(0.5, 40.0, 800.0))
    made.reset([-0.2, 0.3])
    step = made.step([-0.4, 0.3], boundaries=face((1.0, 1.0), 0.0))
    # 0.02 * 4 faster, as if the plane were not there.
    assert step.safe[0] == pytest.approx(-0.28)
    assert step.emergency and step.safe[1] < 0.3
