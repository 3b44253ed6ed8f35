"""Norms, caps and deceleration: which wins, what it is called and how it is met."""

import math

import pytest

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Norms, Output
from vla_safety.limits.limiter import Limit, MotionLimiter, SpeedCap

PERIOD = 0.01
OUTPUT = Output("out", "std_msgs/msg/Float64", "data")


def dimension(kind, limits, low=-1.0, high=1.0, name="d"):
    return Dimension(
        name, kind, kind.units[0], low, high, low, high, limits, limits, "f", OUTPUT
    )  # fmt: skip


def space(*dimensions, norms=None):
    return ActionSpace("test", 1.0 / PERIOD, 10, PERIOD, 1e6, dimensions, norms or Norms())


EVEN = Limits(1.0, 5.0, 50.0)


def three(*limits, norm=0.6):
    named = zip(("x", "y", "z"), limits or (EVEN,) * 3, strict=True)
    made = [dimension(Kind.LINEAR_VELOCITY, limit, name=name) for name, limit in named]
    return MotionLimiter(space(*made, norms=Norms(linear_velocity=norm)))


def test_a_request_beyond_a_norm_keeps_its_direction_and_is_met_at_the_norm():
    limiter = three()
    for _ in range(200):
        step = limiter.step([0.9, -0.6, 0.2])
    ratio = 0.6 / math.sqrt(0.9**2 + 0.6**2 + 0.2**2)
    assert step.safe == pytest.approx([0.9 * ratio, -0.6 * ratio, 0.2 * ratio], abs=1e-9)
    (violation,) = step.violations
    assert (violation.limit, violation.name, violation.dimension) == (Limit.NORM, "linear", "")
    assert violation.value == pytest.approx(1.1) and violation.bound == 0.6


def test_slow_and_quick_axes_exchange_their_speed_within_the_norm():
    # The quick axis could be at its new speed long before the slow one has left its own.
    limiter = three(Limits(1.0, 0.5, 5.0), Limits(1.0, 50.0, 5e3), EVEN)
    for _ in range(500):
        limiter.step([0.6, 0.0, 0.0])
    names = set()
    for _ in range(500):
        step = limiter.step([0.0, 0.6, 0.0])
        assert math.hypot(*step.safe) <= 0.6 * (1 + 1e-9)
        names |= {(v.limit, v.name) for v in step.violations if not v.dimension}
    assert names == {(Limit.NORM, "linear")}
    assert step.safe.tolist() == pytest.approx([0.0, 0.6, 0.0], abs=1e-9)
    assert step.violations == ()


@pytest.mark.parametrize(
    ("scale", "cap", "expected"),
    [
        (1.0, None, (Limit.NORM, "linear", 0.6)),
        (1.0, SpeedCap(0.3, Limit.SPEED_ZONE, "door"), (Limit.SPEED_ZONE, "door", 0.3)),
        (1.0, SpeedCap(0.7, Limit.SPEED_ZONE, "door"), (Limit.NORM, "linear", 0.6)),
        (0.8, SpeedCap(0.5, Limit.OBSTACLE, "scan"), (Limit.SPEED_SCALE, "linear", 0.48)),
        (1.0, SpeedCap(math.nan, Limit.OBSTACLE, "scan"), (Limit.OBSTACLE, "scan", 0.0)),
        (1.0, SpeedCap(-1.0, Limit.OBSTACLE, "scan"), (Limit.OBSTACLE, "scan", 0.0)),
    ],
)
def test_the_strictest_of_norm_scale_and_cap_wins_and_is_named(scale, cap, expected):
    limiter = three()
    request = [0.4, 0.4, 0.1] if expected[0] is Limit.SPEED_SCALE else [0.5, 0.5, 0.5]
    for _ in range(300):
        step = limiter.step(request, speed_scale=scale, speed_cap=cap)
    named = [v for v in step.violations if not v.dimension]
    assert [(v.limit, v.name) for v in named] == [expected[:2]]
    assert named[0].bound == pytest.approx(expected[2])
    assert math.hypot(*step.safe) == pytest.approx(expected[2], abs=1e-9)


def test_a_cap_that_falls_while_moving_is_converged_to_without_turning_back():
    limiter = three(norm=None)
    for _ in range(200):
        limiter.step([0.5, 0.5, 0.0])
    speeds = [
        math.hypot(
            *limiter.step([0.5, 0.5, 0.0], speed_cap=SpeedCap(0.2, Limit.OBSTACLE, "s")).safe
        )
        for _ in range(200)
    ]
    assert all(b <= a + 1e-12 for a, b in zip(speeds, speeds[1:], strict=False))
    assert speeds[-1] == pytest.approx(0.2, abs=1e-9)


def test_a_cap_changes_only_the_linear_velocities():
    limiter = MotionLimiter(
        space(
            dimension(Kind.LINEAR_VELOCITY, EVEN, name="x"),
            dimension(Kind.ANGULAR_VELOCITY, EVEN, name="w"),
        )
    )
    for _ in range(200):
        step = limiter.step([0.8, 0.8], speed_cap=SpeedCap(0.0, Limit.OBSTACLE, "scan"))
    assert step.safe.tolist() == [0.0, 0.8]


def test_a_gripper_is_no_faster_than_its_own_velocity():
    gripper = dimension(Kind.GRIPPER, Limits(0.5, 20.0, 400.0), low=0.0, name="gripper")
    limiter = MotionLimiter(space(gripper, norms=Norms(0.1, 0.1)))
    before, fastest, named = 0.0, 0.0, set()
    for _ in range(400):
        step = limiter.step([1.0])
        fastest, before = max(fastest, (step.safe[0] - before) / PERIOD), step.safe[0]
        named |= {v.limit for v in step.violations}
    assert before == 1.0
    assert fastest == pytest.approx(0.5)
    assert Limit.VELOCITY in named and Limit.NORM not in named


@pytest.mark.parametrize("kind", [Kind.LINEAR_VELOCITY, Kind.JOINT_POSITION])
def test_slowing_down_is_bounded_and_named_by_the_deceleration(kind):
    limiter = MotionLimiter(space(dimension(kind, Limits(0.5, 10.0, 1e4, 2.0), low=-9.0, high=9.0)))
    for k in range(100):
        limiter.step([0.5 if kind.is_velocity else 0.005 * k])
    step = limiter.step([0.0])
    assert [v.limit for v in step.violations] == [Limit.DECELERATION]
    assert abs(step.violations[0].bound) == pytest.approx(2.0)
    assert abs(step.violations[0].value) > 2.0


def test_a_greater_deceleration_stops_sooner_than_the_same_motion_began():
    limiter = MotionLimiter(space(dimension(Kind.LINEAR_VELOCITY, Limits(1.0, 1.0, 1e3, 10.0))))
    up = sum(limiter.step([1.0]).safe[0] < 1.0 for _ in range(300))
    down = sum(limiter.step([0.0]).safe[0] > 0.0 for _ in range(300))
    # 100 and 10 periods; the last of them is there already.
    assert (up, down) == (99, 9)
