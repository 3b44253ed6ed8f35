"""A small robot with two arms, written out, and a guard of it."""

from pathlib import Path

from vla_contract.action_space import ActionSpace, Dimension, Kind, Limits, Output
from vla_safety.arm.arm_geometry import ArmGeometry
from vla_safety.arm.arm_guard import ArmGuard
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.urdf_text import read_urdf
from vla_safety.config.safety_config import SafetyConfig

SLENDER = '<box size="0.04 0.04 0.3"/>'
BAR = '<cylinder radius="0.03" length="0.3"/>'


def link(name, shape="", at="0 0 0.15"):
    if not shape:
        return f'<link name="{name}"/>'
    return (
        f'<link name="{name}"><collision><origin xyz="{at}"/><geometry>{shape}</geometry>'
        "</collision></link>"
    )


def joint(name, parent, child, at, kind="revolute", axis="0 1 0", limit=(-2.5, 2.5), more=""):
    limits = ""
    if limit:
        limits = f'<limit lower="{limit[0]}" upper="{limit[1]}" effort="1" velocity="2"/>'
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="{at}"/><axis xyz="{axis}"/>{limits}{more}</joint>'
    )


def arm(side, y):
    """Three joints and a gripper of two fingers, of which the second follows the first."""
    p = f"{side}_"
    return "".join(
        (
            link(p + "shoulder", '<sphere radius="0.05"/>', "0 0 0"),
            link(p + "upper", BAR),
            link(p + "forearm", SLENDER),
            link(p + "finger", '<box size="0.01 0.02 0.06"/>', "0 0 0.03"),
            link(p + "thumb", '<box size="0.01 0.02 0.06"/>', "0 0 0.03"),
            joint(p + "pan", "base", p + "shoulder", f"0 {y} 0.2", axis="0 0 1"),
            joint(p + "lift", p + "shoulder", p + "upper", "0 0 0"),
            joint(p + "elbow", p + "upper", p + "forearm", "0 0 0.36"),
            joint(
                p + "grip", p + "forearm", p + "finger", "0.02 0 0.34", "prismatic", "1 0 0",
                (0.0, 0.03),
            ),
            joint(
                p + "follow", p + "forearm", p + "thumb", "-0.02 0 0.34", "prismatic", "-1 0 0",
                (0.0, 0.03), f'<mimic joint="{p}grip"/>',
            ),
        )
    )  # fmt: skip


BASE = link("base", '<box size="0.1 0.5 0.12"/>', "0 0 0.06")
TWO_ARMS = f'<robot name="two_arms">{BASE}{arm("left", 0.25)}{arm("right", -0.25)}</robot>'
ONE_ARM = f'<robot name="one_arm">{BASE}{arm("left", 0.0)}</robot>'


def dimension(name, low=-2.5, high=2.5, kind=Kind.JOINT_POSITION, unit="rad", topic="joints"):
    normal, emergency = Limits(2.0, 6.0, 120.0), Limits(2.0, 12.0, 240.0)
    output = Output(topic, "trajectory_msgs/msg/JointTrajectory", name)
    return Dimension(name, kind, unit, low, high, low, high, normal, emergency, "base", output)


def space(*sides, grips=True):
    made = []
    for side in sides:
        made += [dimension(f"{side}_{name}") for name in ("pan", "lift", "elbow")]
        if grips:
            made.append(dimension(f"{side}_grip", 0.0, 0.03, Kind.GRIPPER, "m"))
    return ActionSpace("arms", 50.0, 50, 0.02, 1.0, tuple(made))


ONE = space("left")
TWO = space("left", "right")


def guard(
    folder,
    urdf=ONE_ARM,
    space=ONE,
    surroundings=(),
    joints=(),
    required=(),
    payload=None,
    sources=None,
    touch_links=(),
    **config,
):
    """A guard without a speed limit of the ends, as far as `config` does not say otherwise."""
    given = read_urdf(urdf, ())
    geometry = ArmGeometry(
        pairs=Path(folder) / "pairs.yaml",
        joints=dict(joints),
        surroundings=tuple(surroundings),
        payload=payload,
        touch_links=tuple(touch_links),
    )
    chosen = SafetyConfig(required_joints=tuple(required), **{"arm_speed": 0.0, **config})
    model = ArmModel(given, geometry, tuple(sources or ()))
    return ArmGuard(space, chosen, model, geometry, sources)
