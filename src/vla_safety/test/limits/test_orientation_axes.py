"""Orientations: the limits of the motion on SO(3), recomputed by numpy from what is published."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract import rotations
from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.limits.limiter import Limit, MotionLimiter, braking_time

PERIOD = 0.02
REACH = {3: math.pi, 6: 1.0}


def space(count=3, normal=(1.0, 5.0, 50.0), factor=2.0):
    limits, unit = Limits(*normal), "rad" if count == 3 else "1"
    emergency = Limits(normal[0], normal[1] * factor, normal[2] * factor)
    reach = REACH[count]
    return ActionSpace(
        "turning", 1.0 / PERIOD, 10, PERIOD, 1000.0,
        tuple(
            Dimension(
                f"r{i}", Kind.END_EFFECTOR_ORIENTATION, unit, -reach, reach, -reach, reach,
                limits, emergency, "f", Output("o", "std_msgs/msg/Float64MultiArray", f"data[{i}]"),
            )
            for i in range(count)
        ),
    )  # fmt: skip


def rotation(numbers):
    """Matrix of 3 or 6 numbers, by another way than the code's: matrices only."""
    if len(numbers) == 6:
        a, b = np.array(numbers[:3]), np.array(numbers[3:])
        return np.stack([a, b, np.cross(a, b)], axis=1)
    angle = float(np.linalg.norm(numbers))
    if angle == 0.0:
        return np.eye(3)
    x, y, z = np.array(numbers) / angle
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + math.sin(angle) * k + (1.0 - math.cos(angle)) * k @ k


def turn(before, after):
    """Rotation vector of a small turn, by the skew part of the matrix."""
    d = after @ before.T
    axis = 0.5 * np.array([d[2, 1] - d[1, 2], d[0, 2] - d[2, 0], d[1, 0] - d[0, 1]])
    sine = float(np.linalg.norm(axis))
    angle = math.atan2(sine, 0.5 * (np.trace(d) - 1.0))
    return axis if sine < 1e-9 else axis * angle / sine


class Recorder:
    def __init__(self, space, start=None):
        self.space = space
        self.before = rotation([0.0] * 3) if start is None else rotation(start)
        self.rate = self.acceleration = np.zeros(3)

    def take(self, values, emergency):
        d = self.space.dimensions[0]
        limits = d.emergency if emergency else d.normal
        now = rotation(list(values))
        rate = turn(self.before, now) / PERIOD
        acceleration = (rate - self.rate) / PERIOD
        jerk = (acceleration - self.acceleration) / PERIOD
        for vector, most, noise in (
            (rate, limits.velocity, 1e-14 / PERIOD),
            (acceleration, limits.acceleration, 1e-13 / PERIOD**2),
            (jerk, limits.jerk, 2e-13 / PERIOD**3),
        ):
            assert np.linalg.norm(vector) <= most * (1 + 1e-9) + noise
        self.before, self.rate, self.acceleration = now, rate, acceleration
        return rate


limit_sets = st.tuples(st.floats(0.1, 5.0), st.floats(0.5, 100.0), st.floats(5.0, 2000.0))
numbers = st.one_of(st.floats(-4.0, 4.0), st.sampled_from([0.0, math.pi, -math.pi]))
rows = st.tuples(*[numbers] * 6)
plans = st.lists(st.tuples(st.integers(1, 40), rows, st.booleans()), min_size=1, max_size=15)


@pytest.mark.parametrize("count", [3, 6])
@given(normal=limit_sets, factor=st.floats(1.0, 4.0), plan=plans, scale=st.sampled_from([1.0, 0.3]))
@settings(max_examples=150, deadline=None)
def test_velocity_acceleration_and_jerk_are_never_exceeded(count, normal, factor, plan, scale):
    turning = space(count, normal, factor)
    limiter, recorder = MotionLimiter(turning), Recorder(turning)
    for periods, row, emergency in plan:
        request = None if emergency else list(row[:count])
        for _ in range(periods):
            step = limiter.step(request, emergency=emergency, speed_scale=scale)
            rate = recorder.take(step.safe, step.emergency)
            assert np.linalg.norm(rate) <= normal[0] * scale * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("count", [3, 6])
@given(normal=limit_sets, plan=plans)
@settings(max_examples=50, deadline=None)
def test_a_stop_ends_within_the_braking_time(count, normal, plan):
    turning = space(count, normal)
    limiter = MotionLimiter(turning)
    for periods, row, _ in plan:
        for _ in range(periods):
            limiter.step(list(row[:count]))
    before, path = limiter.positions, limiter.braking_path()
    assert limiter.positions == before
    for values in path[1:]:
        assert limiter.step(None, emergency=True).safe == pytest.approx(values, abs=1e-9)
    limit = math.ceil(braking_time(turning.dimensions[0], PERIOD) / PERIOD)
    assert len(path) - 1 <= limit
    assert limiter.standstill
    limiter.restore_positions(before)
    assert limiter.positions == before


@given(rows)
@settings(max_examples=60, deadline=None)
def test_a_request_that_stays_is_met_exactly_and_without_violations(row):
    limiter = MotionLimiter(space())
    wanted = rotations.exponential(row[:3])
    for _ in range(1000):
        step = limiter.step(list(row[:3]))
    reached = rotations.exponential(step.safe.tolist())
    assert abs(sum(a * b for a, b in zip(wanted, reached, strict=True))) >= 1.0 - 1e-12
    assert step.violations == () and limiter.standstill


@pytest.mark.parametrize("count", [3, 6])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_half_a_turn_and_more_is_passed_without_a_jump(count, sign):
    """Two whole turns about an oblique axis; the rotation vector jumps at pi, the motion not."""
    turning = space(count)
    limiter, recorder = MotionLimiter(turning), Recorder(turning)
    axis = sign * np.array([0.6, 0.0, 0.8])
    angle, jumps, last = 0.0, 0, np.zeros(count)
    for k in range(1400):
        angle += PERIOD * 0.5 * min(1.0, k / 100.0)
        q = rotations.exponential(axis * angle)
        # The other of the two quaternions of the rotation, every second time.
        request = list(rotations.to_numbers(q if k % 2 else tuple(-v for v in q), count))
        step = limiter.step(request)
        rate = recorder.take(step.safe, False)
        assert step.violations == ()
        assert rate @ axis >= -1e-12
        jumps += int(np.abs(step.safe - last).max() > 1.0)
        last = step.safe
    assert np.allclose(rotation(step.safe.tolist()), rotation(list(axis * angle)), atol=1e-9)
    assert jumps == (2 if count == 3 else 0)


def test_noise_about_half_a_turn_does_not_turn_the_motion_back():
    turning = space()
    limiter, recorder = MotionLimiter(turning), Recorder(turning)
    rates = []
    for k in range(400):
        off = 1e-3 * (-1) ** k
        rates.append(recorder.take(limiter.step([0.0, 0.0, math.pi + off]).safe, False)[2])
    way = math.copysign(1.0, rates[20])
    assert min(way * rate for rate in rates[:150]) >= -1e-9


def test_a_fast_turn_about_one_axis_uses_the_whole_velocity():
    limiter = MotionLimiter(space())
    recorder = Recorder(space())
    rates = [recorder.take(limiter.step([0.0, 3.0, 0.0]).safe, False) for _ in range(150)]
    assert max(np.linalg.norm(r) for r in rates) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("row", [[0.0] * 6, [math.nan] * 6, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
def test_what_tells_no_orientation_brakes_and_says_so(row):
    limiter = MotionLimiter(space(6))
    for _ in range(20):
        limiter.step(list(rotations.to_columns(rotations.exponential([0.0, 0.0, 1.0]))))
    assert not limiter.standstill
    for _ in range(100):
        step = limiter.step(row)
    assert [v.limit for v in step.violations] == [Limit.FINITE]
    assert limiter.standstill


def test_the_limit_that_changed_an_orientation_is_named():
    limiter = MotionLimiter(space(normal=(0.5, 1e4, 1e7)))
    (found,) = limiter.step([0.0, 0.0, 1.0]).violations
    assert (found.limit, found.dimension, found.name) == (Limit.VELOCITY, "r0", "about z")
    fast = MotionLimiter(space(normal=(100.0, 1e5, 1e8)))
    (found,) = fast.step([0.0, 0.0, 1.0], speed_scale=0.1).violations
    assert found.limit is Limit.SPEED_SCALE


def test_it_starts_where_it_was_measured():
    limiter = MotionLimiter(space())
    limiter.reset([0.0, 0.0, 4.0])  # the same as 4 - 2 pi
    assert limiter.values == pytest.approx([0.0, 0.0, 4.0 - 2.0 * math.pi])
    assert limiter.hold_target() == pytest.approx(limiter.values)
    limiter.reset()
    assert limiter.values.tolist() == [0.0, 0.0, 0.0]
