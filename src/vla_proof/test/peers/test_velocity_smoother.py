"""The model of nav2's velocity smoother against nav2's own test_velocity_smoother.cpp.

Each test has the name of the original. Where that waits for a timer, here the ticks are counted.
"""

import itertools

import pytest

from vla_proof.peers.velocity_smoother import SmootherParameters, VelocitySmoother

RATE = 20.0


def published(smoother, seconds=1.5, odometry=False):
    """Linear x of what is published, with one command at time 0 as in the original."""
    found = []
    smoother.take_command(0.0, (1.0,) + (0.0,) * (len(smoother.parameters.max_velocity) - 1))
    for tick in range(1, round(seconds * RATE) + 1):
        now = tick / RATE
        if odometry:
            x = found[-1] if found else 0.0
            for step in range(10):  # the original publishes odometry without a pause
                smoother.take_odometry(now - 0.05 + 0.005 * step, (x, 0.0, 0.0))
        velocity = smoother.step(now)
        if velocity is not None:
            found.append(velocity[0])
    return found


def test_open_loop_test_timer_6dof():
    smoother = VelocitySmoother(
        SmootherParameters(
            scale_velocities=True,
            deadband_velocity=(0.2, 0.0, 0.0, 0.0, 0.0, 0.0),
            min_velocity=(-0.5, -0.5, -0.5, -2.5, -2.5, -2.5),
            max_velocity=(0.5, 0.5, 0.5, 2.5, 2.5, 2.5),
            max_decel=(-2.5, -2.5, -2.5, -3.2, -3.2, -3.2),
            max_accel=(2.5, 2.5, 2.5, 3.2, 3.2, 3.2),
        )
    )
    check_open_loop(published(smoother))


def test_open_loop_test_timer():
    smoother = VelocitySmoother(
        SmootherParameters(scale_velocities=True, deadband_velocity=(0.2, 0.0, 0.0))
    )
    check_open_loop(published(smoother))


def check_open_loop(velocities):
    assert 19 < len(velocities) < 30
    assert velocities[-1] == 0.0
    assert next(v for v in velocities if v != 0.0) > 0.2
    assert max(velocities) <= 0.5


def test_approx_closed_loop_test_timer():
    smoother = VelocitySmoother(SmootherParameters(feedback="CLOSED_LOOP"))
    velocities = published(smoother, odometry=True)
    assert 19 < len(velocities) < 30
    assert velocities[-1] == 0.0
    assert all(b - a < 0.126 for a, b in itertools.pairwise(velocities))
    assert max(velocities) <= 0.5


@pytest.mark.parametrize(
    ("current", "command", "eta"),
    [
        (1.0, 1.0, -1),
        (-1.0, -1.0, -1),
        (0.5, 0.504, -1),
        (0.5, 0.46, -1),
        (0.0, 0.004, -1),
        (0.04, 0.0, -1),
        (-0.5, -0.504, -1),
        (-0.5, -0.46, -1),
        (0.0, -0.004, -1),
        (-0.04, 0.0, -1),
        (-0.02, 0.02, -1),
        (0.02, -0.02, -1),
        (0.5, 1.5, 0.005),
        (1.5, 0.5, 0.05),
        (0.0, 1.0, 0.005),
        (1.0, 0.0, 0.05),
        (-0.5, -1.5, 0.005),
        (-1.5, -0.5, 0.05),
        (0.0, -1.0, 0.005),
        (-1.0, 0.0, 0.05),
        (-0.2, 0.8, 0.05),
        (0.2, -0.8, 0.05),
    ],
)
def test_find_eta_constraint(current, command, eta):
    smoother = VelocitySmoother(SmootherParameters())
    assert smoother.find_eta_constraint(current, command, 0.1, -1.0) == eta


@pytest.mark.parametrize(
    ("current", "command", "accel", "decel", "eta", "expected", "tolerance"),
    [
        (1.0, 1.0, 1.5, -2.0, 1.0, 1.0, 0.0),
        (0.5, 0.55, 1.5, -2.0, 1.0, 0.55, 0.0),
        (0.5, 0.45, 1.5, -2.0, 1.0, 0.45, 0.0),
        (1.0, 2.0, 1.5, -2.0, 1.0, 1.075, 0.01),
        (1.0, 2.0, 1.5, -2.0, 0.075, 1.075, 0.01),
        (0.5, 0.55, 1.5, -2.0, 0.075, 0.503, 0.01),
        (0.8, 1.0, 3.2, -3.2, 0.75, 1.075, 0.95),
    ],
)
def test_apply_constraints(current, command, accel, decel, eta, expected, tolerance):
    smoother = VelocitySmoother(SmootherParameters())
    found = smoother.apply_constraints(current, command, accel, decel, eta)
    assert abs(found - expected) <= tolerance + 1e-15


ACCEL, DECEL = 0.1 / RATE, 1.0 / RATE


@pytest.mark.parametrize(
    ("start", "target"),
    [
        pytest.param(1.0, 2.0, id="PositiveToPositiveAccel"),
        pytest.param(0.0, 2.0, id="ZeroToPositiveAccel"),
        pytest.param(-1.0, 2.0, id="NegativeToPositiveDecelAccel"),
        pytest.param(-1.0, -2.0, id="NegativeToNegativeAccel"),
        pytest.param(0.0, -2.0, id="ZeroToNegativeAccel"),
        pytest.param(1.0, -2.0, id="PositiveToNegativeDecelAccel"),
        pytest.param(2.0, 1.0, id="PositiveToPositiveDecel"),
        pytest.param(2.0, 0.0, id="PositiveToZeroDecel"),
        pytest.param(-2.0, -1.0, id="NegativeToNegativeDecel"),
        pytest.param(-2.0, 0.0, id="NegativeToZeroDecel"),
    ],
)
def test_apply_constraints_over_many_periods(start, target):
    """testapplyConstraints<id>: steps of decel down to 0, of accel beyond it."""
    smoother = VelocitySmoother(SmootherParameters())
    sign = 1.0 if target >= start else -1.0
    slowing = (
        abs(start - (target if start * target > 0 else 0.0))
        if abs(target) < abs(start) or (start * target < 0)
        else 0.0
    )
    down = round(slowing / DECEL)
    up = round((abs(target - start) - slowing) / ACCEL)
    velocity = start
    for step in range(1, down + up + 1):
        velocity = smoother.apply_constraints(velocity, target, 0.1, -1.0, 1.0)
        moved = step * DECEL if step <= down else down * DECEL + (step - down) * ACCEL
        assert velocity == pytest.approx(start + sign * moved, abs=0.001)
    assert velocity == pytest.approx(target, abs=0.001)
    velocity = smoother.apply_constraints(velocity, target, 0.1, -1.0, 1.0)
    assert velocity == pytest.approx(target, abs=0.001)


def test_command_callback():
    smoother = VelocitySmoother(SmootherParameters())
    smoother.take_command(0.0, (100.0, 0.0, 0.0))
    assert smoother.command == (100.0, 0.0, 0.0)


def test_a_command_with_nan_is_ignored():
    smoother = VelocitySmoother(SmootherParameters())
    smoother.take_command(0.0, (float("nan"), 0.0, 0.0))
    assert smoother.step(0.05) is None


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"max_velocity": (0.0, 0.0)}, id="testInvalidParams"),
        pytest.param({"feedback": "LAWLS"}, id="testInvalidParams-feedback"),
        pytest.param({"max_velocity": (-10.0,) * 3}, id="testInvalidParamsAccelDecel-max_velocity"),
        pytest.param({"min_velocity": (10.0,) * 3}, id="testInvalidParamsAccelDecel-min_velocity"),
        pytest.param({"max_accel": (-10.0,) * 3}, id="testInvalidParamsAccelDecel-max_accel"),
        pytest.param({"max_decel": (10.0,) * 3}, id="testInvalidParamsAccelDecel-max_decel"),
        pytest.param(
            {"max_velocity": (0.5,) * 6, "min_velocity": (0.0,) * 4}, id="testDifferentParamsSize"
        ),
        pytest.param(
            {"max_velocity": (0.5,) * 4, "min_velocity": (-0.5,) * 4}, id="testInvalidParamsSize"
        ),
        pytest.param({"smoothing_frequency": 0.0}, id="testDynamicParameter-zero"),
        pytest.param({"smoothing_frequency": -1.0}, id="testDynamicParameter-negative"),
    ],
)
def test_what_it_refuses(wrong):
    with pytest.raises(ValueError, match=r"."):
        SmootherParameters(**wrong)
