"""Contact: forces beyond their slow average stop the robot, which yields along them."""

import dataclasses
import math

import numpy as np
import pytest
from core_rig import PERIOD, START, Rig, T
from hypothesis import given
from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_contract.node.parameters import ParameterError
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.surroundings.contact import Baseline
from vla_safety.watch.safety_states import Reason, State

NORMAL, EMERGENCY = Limits(0.5, 1.0, 10.0), Limits(0.5, 2.0, 40.0)
FIELDS = ("linear.x", "linear.y", "linear.z")


def velocity(i):
    return Dimension(
        f"v{i}", Kind.LINEAR_VELOCITY, "m/s", -0.5, 0.5, -0.5, 0.5, NORMAL, EMERGENCY, "base",
        Output("twist", "geometry_msgs/msg/Twist", FIELDS[i]),
    )  # fmt: skip


def joint(kind, joint_range=None):
    unit = "rad" if kind is Kind.JOINT_POSITION else "rad/s"
    return Dimension(
        "elbow", kind, unit, -0.5, 0.5, -0.5, 0.5, NORMAL, EMERGENCY, "base",
        Output("joints", "sensor_msgs/msg/JointState", "elbow"), joint_range,
    )  # fmt: skip


SPACE = ActionSpace("arm", 50.0, 20, T, 1.0, tuple(velocity(i) for i in range(3)))
samples = st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=50)


@given(offset=st.floats(-100.0, 100.0), noise=samples)
def test_a_weight_and_noise_are_no_contact(offset, noise):
    baseline = Baseline(5.0, 10.0)
    for k, value in enumerate(noise):
        baseline.measure((offset + value,), k * PERIOD)
        assert not baseline.touches


@given(
    offset=st.floats(-100.0, 100.0),
    noise=samples,
    way=st.floats(-math.pi, math.pi),
    held=st.integers(1, 500),
)
def test_a_push_is_contact_at_its_first_sample_and_until_it_ends(offset, noise, way, held):
    baseline = Baseline(5.0, 10.0)
    for k, value in enumerate(noise):
        baseline.measure((offset + value, offset, 0.0), k * PERIOD)
    push = np.array([math.cos(way), math.sin(way), 0.0]) * 7.5
    for k in range(held):
        baseline.measure(tuple(push + (offset, offset, 0.0)), (len(noise) + k) * PERIOD)
        assert baseline.touches, "the average does not follow what touches"
        assert np.dot(baseline.deviation, push) > 0.0
    baseline.measure((offset, offset, 0.0), (len(noise) + held) * PERIOD)
    assert not baseline.touches


def test_a_drift_is_followed():
    baseline = Baseline(5.0, 1.0)
    for k in range(5000):
        baseline.measure((0.02 * k,), k * PERIOD)
        assert not baseline.touches
    assert baseline.size < 2.5


class Pushed(Rig):
    def __init__(self, space=SPACE, **changes):
        self.force, self.effort = (0.0, 0.0, 0.0), 0.0
        super().__init__(
            space, required_inputs=("joint_states",), workspace_required=False,
            obstacle_source_required=False, recovery_contact=0.5, **changes,
        )  # fmt: skip

    def go(self, count, value=0.2):
        contact = self.core.surroundings.contact
        for _ in range(count):
            robot = self.core.watch.robot
            place = {"elbow": float(self.decisions[-1].safe[0]) if self.decisions else 0.0}
            robot.update("joint_states", place, self.steady, {"elbow": 0.0})
            contact.measure_efforts({"elbow": 3.0 + self.effort}, self.steady)
            if contact.needs_wrench:
                weight = np.add(self.force, (0.0, 0.0, -9.0))
                contact.measure_wrench(tuple(weight), (0.0,) * 3, "base", self.steady)
            self.run(1, self.command, value=value)
        return self.decisions[-1]

    command = 1


def test_a_push_stops_hard_and_the_robot_yields_along_it_no_further_than_configured():
    rig = Pushed(contact_force=10.0, contact_yield=0.01)
    assert rig.go(60).state is State.NOMINAL
    rig.force = (-20.0, 0.0, 0.0)
    before = len(rig.decisions)
    decision = rig.go(1)
    assert decision.state is State.HOLD and decision.emergency
    assert rig.cause.reason is Reason.CONTACT
    assert rig.cause.text == "contact: force of 20.0 N; accepted: 10"
    rig.go(150)
    x = np.array([d.safe[0] for d in rig.decisions])
    assert np.abs(np.diff(x)).max() / T <= EMERGENCY.acceleration * (1 + 1e-9)
    stood = before + int(np.argmax(x[before:] == 0.0))
    assert stood - before <= 25, "as the emergency limits brake"
    yielded = -T * x[stood:].sum()
    assert 0.005 < yielded <= 0.0105
    assert x[stood:].min() >= -0.02 - 1e-9 and x[-1] == 0.0
    assert all(d.requested is None for d in rig.decisions[before:])


def test_it_goes_on_after_the_recovery_with_a_new_plan():
    rig = Pushed(contact_force=10.0)
    rig.go(60)
    rig.force = (0.0, 20.0, 0.0)
    rig.go(60)
    assert [d.safe[1] for d in rig.decisions[-20:]] == [0.0] * 20, "contact_yield is 0"
    rig.force = (0.0, 4.0, 0.0)
    assert rig.go(20).state is State.HOLD
    assert rig.cause.reason is Reason.RECOVERY
    assert rig.go(40).state is State.NOMINAL


@pytest.mark.parametrize("kind", [Kind.JOINT_POSITION, Kind.JOINT_VELOCITY])
def test_a_joint_yields_against_the_effort_that_holds_it(kind):
    ends = (-2.0, 2.0) if kind is Kind.JOINT_VELOCITY else None
    space = ActionSpace("arm", 50.0, 20, T, 1.0, (joint(kind, ends),))
    rig = Pushed(space, contact_joints=("elbow",), contact_efforts=(2.0,), contact_yield=0.02)
    assert rig.go(60, 0.0).state is State.NOMINAL
    rig.effort = 5.0
    values = [float(rig.go(1).safe[0]) for _ in range(120)]
    assert rig.decisions[-1].state is State.HOLD
    moved = T * sum(values) if kind is Kind.JOINT_VELOCITY else values[-1]
    assert -0.021 <= moved < -0.01


def test_a_sensor_that_is_configured_and_silent_holds():
    rig = Pushed(contact_force=10.0, contact_joints=("wrist",), contact_efforts=(1.0,))
    rig.go(10)
    texts = [cause.text for cause in rig.core.machine.causes]
    assert "the effort of wrist was never received" in texts
    contact = rig.core.surroundings.contact
    assert contact.measure_wrench((math.nan, 0.0, 0.0), (0.0,) * 3, "", START) == (
        "wrench is not finite"
    )


def test_an_emergency_stop_is_not_yielded_through():
    rig = Pushed(contact_force=10.0, contact_yield=0.05)
    rig.go(60)
    rig.force = (-20.0, 0.0, 0.0)
    rig.go(40)
    rig.core.watch.emergency_stop.set_level(True, rig.steady)
    rig.go(30)
    assert [d.safe[0] for d in rig.decisions[-10:]] == [0.0] * 10


def test_thresholds_and_joints_go_together():
    with pytest.raises(ParameterError, match="contact_efforts has 2 entries; accepted: one, or"):
        dataclasses.replace(SafetyConfig(), contact_joints=("a",) * 3, contact_efforts=(1.0, 2.0))
    with pytest.raises(ParameterError, match="accepted: finite numbers above 0"):
        dataclasses.replace(SafetyConfig(), contact_efforts=(0.0,))
