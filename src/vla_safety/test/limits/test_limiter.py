import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.limits.braking import Rates
from vla_safety.limits.limiter import Limit, MotionLimiter, braking_time

PERIOD = 0.01
OUTPUT = Output("out", "std_msgs/msg/Float64", "data")
KINDS = [kind for kind in Kind if kind is not Kind.END_EFFECTOR_ORIENTATION]  # of one dimension


def dimension(kind, normal=(1.0, 5.0, 50.0), factor=2.0, low=-1.0, high=1.0, name="d"):
    emergency = Limits(normal[0], normal[1] * factor, normal[2] * factor)
    return Dimension(
        name, kind, kind.units[0], low, high, low, high, Limits(*normal), emergency, "f", OUTPUT,
        (-math.inf, math.inf) if kind is Kind.JOINT_VELOCITY else None,
    )  # fmt: skip


def space(*dimensions):
    return ActionSpace("test", 1.0 / PERIOD, 10, PERIOD, 1000.0, dimensions)


class Recorder:
    """Recomputes every derivative from the published values alone, as an outsider would."""

    def __init__(self, dim, start):
        self.dim = dim
        self.values = [start] * 4
        self.rising_over = 0.0

    def take(self, value, emergency, scale=1.0):
        self.values = [*self.values[1:], float(value)]
        limits = self.dim.emergency if emergency else self.dim.normal
        x = self.values
        first = np.diff(x) / PERIOD
        second = np.diff(first) / PERIOD
        third = np.diff(second) / PERIOD
        if self.dim.kind.is_velocity:
            rate, acceleration, jerk = x[-1], first[-1], second[-1]
            noise = 4 * math.ulp(max(map(abs, x))) / PERIOD
        else:
            rate, acceleration, jerk = first[-1], second[-1], third[-1]
            noise = 8 * math.ulp(max(map(abs, x))) / PERIOD**2
        assert self.dim.low <= x[-1] <= self.dim.high
        if scale == 1.0:
            assert abs(rate) <= limits.velocity * (1 + 1e-9)
        assert abs(acceleration) <= limits.acceleration * (1 + 1e-9) + noise
        assert abs(jerk) <= limits.jerk * (1 + 1e-9) + noise / PERIOD
        return rate, acceleration


limit_sets = st.tuples(st.floats(0.05, 30.0), st.floats(0.2, 2000.0), st.floats(1.0, 1e5))
requests = st.one_of(
    st.floats(-2.0, 2.0), st.sampled_from([0.0, 1.0, -1.0, 1e300, math.nan, math.inf, -math.inf])
)
steps = st.lists(st.tuples(st.integers(1, 40), requests, st.booleans()), min_size=1, max_size=25)


@pytest.mark.parametrize("kind", KINDS)
@given(
    normal=limit_sets,
    factor=st.floats(1.0, 5.0),
    plan=steps,
    low=st.floats(-1.0, 0.0),
    high=st.floats(0.01, 1.0),
)
@settings(max_examples=150, deadline=None)
def test_every_command_keeps_the_limits_in_force(kind, normal, factor, plan, low, high):
    dim = dimension(kind, normal, factor, low, high)
    limiter = MotionLimiter(space(dim))
    recorder = Recorder(dim, 0.0)
    for count, request, emergency in plan:
        for _ in range(count):
            step = limiter.step([request], emergency=emergency)
            recorder.take(step.safe[0], step.emergency or emergency)


@pytest.mark.parametrize("kind", KINDS)
@given(
    normal=limit_sets,
    plan=st.lists(
        st.tuples(st.integers(1, 40), requests, st.booleans(), st.floats(0.0, 1.0)),
        min_size=1,
        max_size=20,
    ),
)
@settings(max_examples=100, deadline=None)
def test_a_falling_speed_scale_is_met_without_turning_back(kind, normal, plan):
    dim = dimension(kind, normal)
    limiter = MotionLimiter(space(dim))
    recorder = Recorder(dim, 0.0)
    rate = acceleration = 0.0
    for count, request, emergency, scale in plan:
        for _ in range(count):
            step = limiter.step([request], emergency=emergency, speed_scale=scale)
            limits = dim.emergency if step.emergency else dim.normal
            top = limits.velocity * scale
            rates = Rates(
                PERIOD, limits.velocity, limits.acceleration, limits.jerk * PERIOD * (1 - 1e-6)
            )
            # What it comes to when the acceleration is taken back as fast as the limits allow.
            unavoidable = rate + rates.drift(acceleration)
            most = max(top, abs(unavoidable), abs(rate))
            rate, acceleration = recorder.take(step.safe[0], step.emergency or emergency, scale)
            assert abs(rate) <= most + 1e-5 * top + 1e-6 * limits.acceleration * PERIOD + 1e-9
    for _ in range(round(2.0 * braking_time(dim, PERIOD) / PERIOD) + 200):
        step = limiter.step([request], speed_scale=scale)
        rate, _ = recorder.take(step.safe[0], step.emergency, scale)
    assert abs(rate) <= dim.normal.velocity * scale * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("kind", KINDS)
@given(normal=limit_sets, factor=st.floats(1.0, 4.0), plan=steps)
@settings(max_examples=100, deadline=None)
def test_an_emergency_ends_at_rest_within_the_braking_time(kind, normal, factor, plan):
    dim = dimension(kind, normal, factor)
    limiter = MotionLimiter(space(dim))
    recorder = Recorder(dim, 0.0)
    for count, request, emergency in plan:
        for _ in range(count):
            # As in the safety core: an emergency never asks for motion.
            step = limiter.step(None if emergency else [request], emergency=emergency)
            recorder.take(step.safe[0], step.emergency or emergency)
    # A position that is about to turn back may first have to finish its turn.
    allowed = round(braking_time(dim, PERIOD) / PERIOD) + (0 if kind.is_velocity else 200)
    for _ in range(allowed):
        step = limiter.step(None, emergency=True)
        recorder.take(step.safe[0], True)
    assert limiter.standstill
    if kind.is_velocity:
        assert step.safe[0] == 0.0
    assert limiter.step(None, emergency=True).safe[0] == step.safe[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("jerk", [7.0, 50.0, 1000.0, 1e5])
@pytest.mark.parametrize("target", [0.8, -0.3, 1.0, 0.001])
def test_a_constant_request_is_met_exactly_and_not_overshot(kind, jerk, target):
    limiter = MotionLimiter(space(dimension(kind, (1.0, 5.0, jerk))))
    values = np.array([limiter.step([target]).safe[0] for _ in range(500)])
    assert values[-1] == target
    sign = math.copysign(1.0, target)
    assert (values * sign <= target * sign * (1 + 1e-12)).all()
    assert (np.diff(values * sign) >= -1e-12).all()
    assert limiter.step([target]).violations == ()


def test_a_velocity_step_takes_no_more_periods_than_the_limits_need():
    limiter = MotionLimiter(space(dimension(Kind.LINEAR_VELOCITY, (1.0, 5.0, 50.0))))
    values = [limiter.step([0.8]).safe[0] for _ in range(60)]
    # v/a + a/j = 0.16 + 0.10 s in continuous time.
    assert values.index(0.8) + 1 <= 27


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_within_the_limits_passes_unchanged(kind):
    limiter = MotionLimiter(space(dimension(kind, (1.0, 5.0, 20.0))))
    phase = 1.5 * np.arange(800) * PERIOD
    wanted = 0.5 * (1.0 - np.cos(phase)) if kind.is_velocity else 0.07 * (phase - np.sin(phase))
    steps = [limiter.step([value]) for value in wanted]
    assert np.allclose([s.safe[0] for s in steps], wanted, rtol=0.0, atol=1e-12)
    assert all(s.violations == () for s in steps)


@pytest.mark.parametrize(
    ("request_", "normal", "scale", "limit"),
    [
        (1.5, (2.0, 1e4, 1e7), 1.0, Limit.RANGE),
        (0.9, (0.5, 1e4, 1e7), 1.0, Limit.VELOCITY),
        (0.4, (0.5, 1e4, 1e7), 0.5, Limit.SPEED_SCALE),
        (0.5, (1.0, 5.0, 1e5), 1.0, Limit.ACCELERATION),
        (0.5, (1.0, 100.0, 50.0), 1.0, Limit.JERK),
        (math.nan, (1.0, 5.0, 50.0), 1.0, Limit.FINITE),
    ],
)
def test_the_limit_that_changed_a_velocity_is_named(request_, normal, scale, limit):
    limiter = MotionLimiter(space(dimension(Kind.LINEAR_VELOCITY, normal)))
    violations = limiter.step([request_], speed_scale=scale).violations
    assert [v.limit for v in violations] == [limit]
    assert violations[0].dimension == "d"
    if limit is not Limit.FINITE:
        assert abs(violations[0].value) > abs(violations[0].bound)


@pytest.mark.parametrize(
    ("normal", "scale", "limit"),
    [
        ((0.5, 1e4, 1e7), 1.0, Limit.VELOCITY),
        ((1e3, 5.0, 1e7), 1.0, Limit.ACCELERATION),
        ((1e3, 1e4, 50.0), 1.0, Limit.JERK),
        ((100.0, 1e5, 1e8), 0.1, Limit.SPEED_SCALE),
    ],
)
def test_the_limit_that_changed_a_position_is_named(normal, scale, limit):
    limiter = MotionLimiter(space(dimension(Kind.JOINT_POSITION, normal)))
    violations = limiter.step([0.5], speed_scale=scale).violations
    assert [v.limit for v in violations] == [limit]
    assert abs(violations[0].value) > abs(violations[0].bound)


def test_dimensions_are_limited_each_on_its_own():
    limiter = MotionLimiter(
        space(
            dimension(Kind.LINEAR_VELOCITY, name="x"),
            dimension(Kind.GRIPPER, (20.0, 1000.0, 1e5), name="grip"),
        )
    )
    for _ in range(100):
        step = limiter.step([math.nan, 1.0])
        assert {v.dimension for v in step.violations if v.limit is Limit.FINITE} == {"x"}
    assert step.safe.tolist() == [0.0, 1.0]
    assert limiter.hold_target().tolist() == [0.0, 1.0]


def test_stopping_keeps_a_gripper_where_it_is():
    limiter = MotionLimiter(space(dimension(Kind.GRIPPER, (2.0, 50.0, 1000.0))))
    for _ in range(20):
        limiter.step([1.0])
    target = limiter.hold_target()[0]
    for _ in range(50):
        step = limiter.step(None)
    assert step.safe[0] == pytest.approx(target, abs=1e-12)
    assert limiter.standstill


def test_reset_starts_at_rest_within_the_range():
    limiter = MotionLimiter(
        space(dimension(Kind.GRIPPER, low=0.2), dimension(Kind.LINEAR_VELOCITY, name="v"))
    )
    assert limiter.values.tolist() == [0.2, 0.0]
    limiter.reset([5.0, math.nan])
    assert limiter.values.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("bad", [[1.0, 2.0], [], [[1.0]]])
def test_a_row_of_the_wrong_width_is_refused(bad):
    with pytest.raises(ValueError, match="accepted"):
        MotionLimiter(space(dimension(Kind.GRIPPER))).step(bad)


@pytest.mark.parametrize("scale", [-0.1, 1.1, math.nan])
def test_a_speed_scale_outside_0_to_1_is_refused(scale):
    with pytest.raises(ValueError, match="0 to 1"):
        MotionLimiter(space(dimension(Kind.GRIPPER))).step([0.0], speed_scale=scale)
