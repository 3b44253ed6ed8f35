"""Speed and separation: the protective distance of ISO/TS 15066, and how it slows the robot."""

import math

import numpy as np
import pytest
from core_rig import Rig, T
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.action_space import Limits
from vla_contract.node.parameters import ParameterError
from vla_safety.config.safety_config import SafetyConfig, check_space
from vla_safety.limits.limiter import Limit
from vla_safety.surroundings.separation import (
    SeparationRules,
    protective_distance,
    separation_factor,
    stopping_for,
    stopping_within,
)
from vla_safety.watch.safety_states import Reason, State

LIMITS = Limits(0.5, 1.0, 10.0)
RULES = SeparationRules(1.6, 0.2, 0.1, 0.05, 0.02)
positive = st.floats(0.01, 5.0)


def test_the_terms_are_those_of_the_standard():
    # S_h = 1.6 (0.2 + 0.5), S_r = 0.4 * 0.2, S_s = 0.4 * 0.5, C + Z_d + Z_r = 0.17
    assert protective_distance(0.4, RULES, stopping_for(0.5)) == pytest.approx(
        1.6 * 0.7 + 0.08 + 0.2 + 0.17
    )
    assert protective_distance(0.0, RULES, stopping_for(0.5), age=0.1) == pytest.approx(0.48 + 0.17)


@given(
    distance=st.floats(0.0, 10.0), speed=positive, person=st.floats(0.0, 3.0),
    acceleration=positive, jerk=st.floats(0.5, 100.0), age=st.floats(0.0, 1.0),
)  # fmt: skip
def test_the_factor_makes_the_protective_distance_the_measured_one(
    distance, speed, person, acceleration, jerk, age
):
    rules = SeparationRules(person, 0.1, 0.05, 0.05, 0.01)
    stopping = stopping_within(Limits(speed, acceleration, jerk), T)
    factor = separation_factor(distance, speed, rules, stopping, age)
    assert 0.0 <= factor <= 1.0
    if factor > 0.0:
        assert protective_distance(factor * speed, rules, stopping, age) <= distance
    if factor < 1.0:
        faster = min(1.0, factor + 1e-6) * speed
        assert protective_distance(faster, rules, stopping, age) > distance
    assert separation_factor(distance + 0.5, speed, rules, stopping, age) >= factor


def test_no_distance_is_no_speed():
    assert separation_factor(math.nan, 0.5, RULES, stopping_for(0.5)) == 0.0
    assert separation_factor(math.inf, 0.5, RULES, stopping_for(0.5)) == 1.0


class Beside(Rig):
    """A robot beside which a person stands or walks; both follow what they are told."""

    def __init__(self, **changes):
        super().__init__(
            people_enabled=True, people_reach=0.5, workspace_required=False,
            obstacle_source_required=False, recovery_obstacle=0.5, **changes,
        )  # fmt: skip

    def go(self, count, distance, walking=0.0, value=0.4):
        for _ in range(count):
            if distance is not None:
                distance = max(0.0, distance - walking * T)
                people = [(distance + 0.5, 0.0), (9.0, 9.0)]
                self.core.surroundings.people.accept_people(people, self.steady)
            self.run(1, 1, value=value)
        return self.decisions[-1]


def test_it_slows_down_continuously_and_speeds_up_again():
    rig = Beside()
    assert rig.go(80, 5.0).safe[0] == pytest.approx(0.4)
    speeds = []
    for distance in (2.0, 1.4, 1.2, 1.0, 0.8, 0.5, 0.3):
        decision = rig.go(80, distance)
        assert decision.state is State.NOMINAL
        speeds.append(float(decision.safe[0]))
    assert speeds == sorted(speeds, reverse=True) and len(set(np.round(speeds, 3))) >= 4
    assert speeds[-1] == 0.0
    (found,) = [v for v in decision.violations if v.limit is Limit.SPEED_ZONE][:1]
    assert found.name == "people"
    assert rig.go(120, 5.0).safe[0] == pytest.approx(0.4)


def test_a_person_who_walks_up_at_the_assumed_speed_finds_it_at_rest():
    """No emergency, and never nearer than the protective distance of the speed it has."""
    rig = Beside()
    rig.go(80, 6.0)
    people = rig.core.surroundings.people
    distance = 6.0
    while distance > 0.0:
        rig.go(1, distance, 0.0)
        speed = abs(float(rig.decisions[-1].safe[0]))
        if speed > 0.0:
            needed = protective_distance(speed, people._rules, people._emergency)
            assert distance >= needed
        distance -= 1.6 * T
    assert rig.decisions[-1].safe[0] == 0.0
    assert not any(d.emergency for d in rig.decisions)


def test_one_who_comes_out_of_nowhere_is_stopped_for_hard():
    rig = Beside()
    rig.go(80, 6.0)
    decision = rig.go(1, 0.4)
    assert decision.state is State.HOLD and decision.emergency
    assert rig.cause.reason is Reason.OBSTACLE
    assert rig.cause.text.startswith("a person is 0.40 m away; accepted at 0.40 m/s: ")
    rig.go(60, 0.4)
    assert rig.decisions[-1].safe[0] == 0.0
    assert rig.go(120, 6.0).state is State.NOMINAL


def test_a_silent_detector_holds():
    rig = Beside()
    rig.go(60, 6.0)
    assert rig.go(40, None).state is State.HOLD
    assert "people is older than 0.5 s" in [c.text for c in rig.core.machine.causes]
    problem = rig.core.surroundings.people.accept_people([(math.nan, 0.0)], rig.steady)
    assert problem == "people has a position that is not finite"


def test_a_robot_without_linear_velocities_needs_its_speed():
    from core_rig import ARM

    config = SafetyConfig(people_enabled=True, required_inputs=("joint_states",))
    with pytest.raises(ParameterError, match="people_robot_speed is 0; accepted for action space"):
        check_space(config, ARM)
