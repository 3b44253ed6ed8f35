"""Twists are slowed towards singularities and let away from them, by an arm's URDF."""

import math

import numpy as np
import pytest

pytest.importorskip("pinocchio", reason="pip install pin coal")

from arm_rig import joint, link
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_contract.node.parameters import ParameterError
from vla_safety.arm.arm_geometry import ArmError
from vla_safety.arm.singularity import (
    SingularityGuard,
    condition_number,
    make_singularity_guard,
    slowing_factor,
)
from vla_safety.arm.urdf_text import read_urdf
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Limit, MotionLimiter

A, B = 0.4, 0.3  # m, the links of an arm in the plane x, y
PLANAR = (
    f'<robot name="planar">{link("base")}{link("upper")}{link("fore")}{link("tool0")}'
    + joint("shoulder", "base", "upper", "0 0 0", axis="0 0 1", limit=(-3.1, 3.1))
    + joint("elbow", "upper", "fore", f"{A} 0 0", axis="0 0 1", limit=(-3.1, 3.1))
    + '<joint name="tip" type="fixed"><parent link="fore"/><child link="tool0"/>'
    + f'<origin xyz="{B} 0 0"/></joint></robot>'
)
NORMAL, EMERGENCY = Limits(0.2, 1.0, 20.0), Limits(0.2, 3.0, 80.0)


def dimension(axis, frame="base"):
    return Dimension(
        axis, Kind.LINEAR_VELOCITY, "m/s", -0.2, 0.2, -0.2, 0.2, NORMAL, EMERGENCY, frame,
        Output("twist", "geometry_msgs/msg/TwistStamped", f"twist.linear.{axis}"),
    )  # fmt: skip


SPACE = ActionSpace("plane", 50.0, 20, 0.02, 1.0, (dimension("x"), dimension("y")))
CONFIG = {"required_joints": ("shoulder", "elbow"), "arm_urdf": PLANAR}


def guard(**changes):
    return SingularityGuard(SPACE, SafetyConfig(**{**CONFIG, **changes}), read_urdf(PLANAR, ()))


def jacobian(q1, q2):
    """Of the two links, written out."""
    s1, c1, s12, c12 = math.sin(q1), math.cos(q1), math.sin(q1 + q2), math.cos(q1 + q2)
    return np.array([[-A * s1 - B * s12, -B * s12], [A * c1 + B * c12, B * c12]])


angles = st.floats(-3.0, 3.0)


@given(q1=angles, q2=angles, way=angles)
@settings(max_examples=200, deadline=None)
def test_the_factor_is_that_of_the_condition_number_and_only_towards_the_singularity(q1, q2, way):
    made, twist = guard(), np.array([0.1 * math.cos(way), 0.1 * math.sin(way)])
    here = np.array([q1, q2])
    factor, condition, remaining = made.look(here, twist)
    back = made.look(here, -twist)[0]
    assert min(condition, 1e6) == pytest.approx(
        min(condition_number(jacobian(q1, q2)), 1e6), rel=1e-6
    )
    assert factor in (1.0, slowing_factor(condition, 17.0, 30.0))
    assert remaining >= 0.0
    if 17.5 < condition < 29.0 and abs(q2) < 1.0:
        # Of this arm the elbow alone decides: stretching it is towards.
        speeds = np.linalg.solve(jacobian(q1, q2), twist)
        if abs(speeds[1]) > 0.5:
            assert (factor < 1.0) == bool(speeds[1] * q2 < 0.0)
            assert (back < 1.0) != (factor < 1.0)


@pytest.mark.parametrize(
    ("condition", "factor"),
    [(1.0, 1.0), (17.0, 1.0), (23.5, 0.5), (30.0, 0.0), (1e9, 0.0), (math.nan, 0.0)],
)
def test_the_speed_falls_linearly_between_the_thresholds(condition, factor):
    assert slowing_factor(condition, 17.0, 30.0) == pytest.approx(factor)


def drive(row, q, periods):
    """The arm follows its tip's commands exactly; the greatest condition number comes last."""
    made, limiter, speeds, worst = guard(), MotionLimiter(SPACE), [], 0.0
    for _ in range(periods):
        step = made.limit_command(limiter, row, dict(zip(("shoulder", "elbow"), q, strict=True)))
        speeds.append(float(np.linalg.norm(step.safe)))
        for _ in range(20):
            q = q + 0.001 * np.linalg.solve(jacobian(*q), step.safe)
        worst = max(worst, condition_number(jacobian(*q)))
    return q, speeds, step, worst


def test_it_stands_before_the_arm_is_stretched_and_comes_back_freely():
    q, speeds, step, worst = drive([0.2, 0.0], np.array([-0.6, 1.2]), 400)
    assert max(speeds) == pytest.approx(0.2)
    assert speeds[-1] < 0.01
    assert 17.0 < worst < 31.0
    assert {v.name for v in step.violations if v.limit is Limit.TOOL_SPEED} == {"singularity"}
    _, speeds, step, _ = drive([-0.2, 0.0], q, 40)
    assert speeds[-1] == pytest.approx(0.2) and step.violations == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"required_joints": ("shoulder",)}, "joint elbow is not measured; accepted: its name in"),
        ({"tip_frame": "hand"}, "tip_frame is 'hand'; accepted: a link of arm_urdf"),
    ],
)
def test_what_does_not_fit_is_told(changes, words):
    with pytest.raises(ArmError, match=words):
        guard(**changes)


def test_it_is_of_twists_with_a_urdf_only():
    assert make_singularity_guard(SPACE, SafetyConfig()) is None
    assert make_singularity_guard(SPACE, SafetyConfig(**CONFIG)) is not None
    three = ActionSpace("three", 50.0, 20, 0.02, 1.0, tuple(map(dimension, "xyz")))
    with pytest.raises(ArmError, match="has 2 joints up to tool0; accepted .* its 3 velocities"):
        make_singularity_guard(three, SafetyConfig(**CONFIG))
    with pytest.raises(ParameterError, match="singularity_upper are 40.0 and 30.0"):
        SafetyConfig(singularity_lower=40.0)
