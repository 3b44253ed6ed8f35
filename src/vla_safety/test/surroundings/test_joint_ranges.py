"""Joints that are commanded by velocity stop at the ends of their range, wherever they begin."""

import dataclasses
import math

import pytest
from core_rig import PERIOD, Rig, T
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.limits.limiter import Limit
from vla_safety.watch.safety_states import State

NORMAL, EMERGENCY = Limits(1.0, 2.0, 20.0), Limits(1.0, 4.0, 80.0)


def joint(name, joint_range=(-1.0, 1.5)):
    return Dimension(
        name, Kind.JOINT_VELOCITY, "rad/s", -1.0, 1.0, -1.0, 1.0, NORMAL, EMERGENCY, "base",
        Output("jog", "sensor_msgs/msg/JointState", f"{name}_joint"), joint_range,
    )  # fmt: skip


SPACE = ActionSpace("arm", 50.0, 20, T, 1.0, (joint("a"), joint("b", (-math.inf, math.inf))))


class Arm(Rig):
    """A robot that does what it is told, and tells where it is now and then."""

    def __init__(self, start=0.0, every=1, lag=0):
        super().__init__(SPACE, required_inputs=("joint_states",))
        self.place, self.every, self.lag = [start], every, lag
        self.measure()

    def measure(self):
        velocity = self.core.limiter.values[0]
        self.core.watch.robot.update(
            "joint_states", {"a": velocity}, self.steady, {"a_joint": self.place[-1]}
        )

    def go(self, value, count):
        for _ in range(count):
            # The last command was followed for the period that ends now.
            self.place.append(self.place[-1] + self.core.limiter.values[0] * T)
            self.now += PERIOD
            self.steady += PERIOD
            self.k += 1
            if self.k % self.every == 0:
                self.measure()
            else:  # it only says that it lives
                self.core.watch.robot.update("joint_states", {}, self.steady)
            if self.k % 4 == 0:
                self.chunk(1, value)
            self.decisions.append(self.core.decide(self.now, self.steady))
        return self.decisions[-1]


@pytest.mark.parametrize(("value", "end"), [(0.8, 1.5), (-0.8, -1.0)])
@pytest.mark.parametrize("every", [1, 5])
def test_braking_ends_at_the_end_of_the_range_within_the_normal_limits(value, end, every):
    arm = Arm(every=every)
    decision = arm.go(value, 250)
    assert decision.safe[0] == 0.0 and decision.safe[1] == pytest.approx(value)
    assert min(arm.place) >= -1.0 and max(arm.place) <= 1.5
    assert arm.place[-1] == pytest.approx(end, abs=0.02)
    assert not any(d.emergency for d in arm.decisions)
    (found,) = [v for v in decision.violations if v.limit is Limit.RANGE]
    assert found.name == f"a_joint {'high' if value > 0 else 'low'}"
    assert arm.go(-value, 30).safe[0] * value < 0.0, "what leads away passes"


values = st.floats(-2.0, 2.0)


@given(
    start=st.floats(-0.99, 1.49),
    plan=st.lists(st.tuples(values, st.integers(1, 60)), min_size=1, max_size=8),
    every=st.integers(1, 6),
)
@settings(max_examples=60, deadline=None)
def test_no_end_is_ever_passed(start, plan, every):
    arm = Arm(start, every)
    for value, count in plan:
        arm.go(value, count)
        assert min(arm.place) >= -1.0 - 1e-6 and max(arm.place) <= 1.5 + 1e-6


def test_beyond_an_end_only_what_leads_back_passes():
    arm = Arm(start=1.6)
    assert arm.go(0.5, 40).safe[0] == 0.0
    assert arm.go(-0.5, 60).safe[0] == pytest.approx(-0.5)


def test_without_a_position_it_holds_and_names_the_joint():
    rig = Rig(SPACE, required_inputs=("joint_states",))
    for _ in range(10):
        rig.core.watch.robot.update("joint_states", {}, rig.steady)
        decision = rig.run(1)
    assert decision.state is State.HOLD
    assert rig.cause.text == "joint a_joint was never told of, while joint_states comes"


def test_a_joint_velocity_needs_its_range():
    with pytest.raises(ValueError, match=r"joint_range of a is None; accepted for joint_velocity"):
        dataclasses.replace(joint("a"), joint_range=None)
    with pytest.raises(ValueError, match="accepted of joint_velocity only"):
        dataclasses.replace(joint("a"), kind=Kind.ANGULAR_VELOCITY)
