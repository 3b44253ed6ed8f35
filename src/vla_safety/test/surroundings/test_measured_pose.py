import math

import pytest
from shipped_spaces import shipped_space

from vla_contract.node.parameters import ParameterError
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.limits.limiter import Limit
from vla_safety.surroundings.measured_pose import (
    MeasuredPose,
    Pose,
    RobotKind,
    SpeedZoneConfig,
    robot_kind,
)
from vla_safety.watch.safety_states import FaultKind, Reason

SECOND = 10**9
BOX = {"workspace_low": (-0.6, 0.3, -0.05), "workspace_high": (0.6, 1.1, 0.6)}


def space(name):
    return shipped_space(name)


def pose(x=0.0, y=0.6, z=0.2, frame="base_link", quaternion=(0.0, 0.0, 0.0, 1.0)):
    return Pose((x, y, z), quaternion, frame)


def texts(place, config, steady=0):
    return [cause.text for cause in place.causes(config, steady)]


@pytest.mark.parametrize(
    ("name", "kind", "source"),
    [
        ("metaworld", RobotKind.ARM, "end_effector_pose"),
        ("arm_6dof", RobotKind.ARM, "end_effector_pose"),
        ("mobile_base", RobotKind.BASE, "odom"),
    ],
)
def test_what_the_shipped_action_spaces_move(name, kind, source):
    assert robot_kind(space(name)) is kind
    assert MeasuredPose(space(name), SafetyConfig()).source == source


def test_an_end_effector_without_a_workspace_holds_and_names_the_parameters():
    config = SafetyConfig()
    (cause,) = MeasuredPose(space("metaworld"), config).causes(config, 0)
    assert cause.reason is Reason.CONFIGURATION
    assert "workspace_low" in cause.clears_when and "workspace_required" in cause.clears_when
    allowed = SafetyConfig(workspace_required=False)
    assert texts(MeasuredPose(space("metaworld"), allowed), allowed) == []
    assert texts(MeasuredPose(space("mobile_base"), config), config) == []


def test_a_workspace_needs_a_pose_that_is_young():
    config = SafetyConfig(**BOX)
    place = MeasuredPose(space("metaworld"), config)
    assert place.needed
    assert texts(place, config) == [
        "the position is not known: end_effector_pose was never received"
    ]
    place.update_pose(pose(), SECOND)
    assert texts(place, config, SECOND + SECOND // 2) == []
    (cause,) = place.causes(config, 2 * SECOND)
    assert cause.text == "the position is not known: end_effector_pose is older than 0.5 s"
    assert cause.kind is FaultKind.ROBOT_STATE and cause.emergency
    assert "frame 'camera'" in place.problem(pose(frame="camera"))
    assert place.problem(pose(frame="")) == "" == place.problem(pose())


def test_every_closed_side_is_a_boundary_from_where_the_pose_may_be_by_now():
    config = SafetyConfig(workspace_low=(-0.6, -1000.0, -1000.0))
    place = MeasuredPose(space("metaworld"), config)
    assert place.boundaries([0.0] * 4, 0) == ()
    place.update_pose(pose(x=-0.5), SECOND)
    (boundary,) = place.boundaries([0.3, 0.0, 0.0, 0.0], SECOND + SECOND // 10)
    assert boundary.limit is Limit.WORKSPACE
    assert boundary.remaining == pytest.approx(0.1 - 0.3 * 0.1)
    assert boundary.coefficients == (-1.0, 0.0, 0.0, 0.0)


def test_what_brakes_was_faster_when_the_pose_was_measured():
    place, width = MeasuredPose(space("metaworld"), SafetyConfig(**BOX)), space("metaworld").width

    def left(speed, steady):
        faces = place.boundaries([speed, *[0.0] * (width - 1)], steady)
        return next(face.remaining for face in faces if face.name == "x high")

    place.update_pose(pose(), SECOND)
    assert left(0.2, SECOND + SECOND // 10) == pytest.approx(0.6 - 0.2 * 0.1)
    assert left(0.3, SECOND + SECOND // 5) == pytest.approx(0.6 - 0.3 * 0.2)
    assert left(0.1, SECOND + 3 * SECOND // 10) == pytest.approx(0.6 - 0.3 * 0.3)
    place.update_pose(pose(), SECOND + SECOND // 5)  # what came before it does not count any more
    assert left(0.05, SECOND + 4 * SECOND // 10) == pytest.approx(0.6 - 0.1 * 0.2)


def test_the_pose_gives_the_measured_velocity():
    place = MeasuredPose(space("metaworld"), SafetyConfig())
    assert place.rates() == {}
    for k in range(30):
        place.update_pose(pose(x=0.004 * k), k * SECOND // 100)
    rates = place.rates()
    assert rates["linear_x"] == pytest.approx(0.4) and rates["linear_z"] == pytest.approx(0.0)
    place.forget()
    assert place.rates() == {} and place.position == pytest.approx((0.116, 0.6, 0.2))


def test_a_speed_zone_caps_a_base_near_it():
    config = SafetyConfig(speed_zones=("door",), workspace_frame="odom")
    zone = SpeedZoneConfig(points=(2.0, -1.0, 3.0, -1.0, 3.0, 1.0, 2.0, 1.0), maximum=0.1)
    place = MeasuredPose(space("mobile_base"), config, [zone.zone("door")])
    assert place.needed and place.cap([0.0, 0.0], 0) is None
    place.update_pose(pose(x=-50.0, y=0.0, frame="odom"), 0)
    assert place.cap([0.0, 0.0], 0) is None
    place.update_pose(pose(x=2.5, y=0.0, frame="odom"), 0)
    cap = place.cap([0.0, 0.0], 0)
    assert (cap.value, cap.limit, cap.name) == (0.1, Limit.SPEED_ZONE, "door")
    with pytest.raises(ParameterError, match="door: polygon of speed zone"):
        SpeedZoneConfig(points=(0.0, 0.0, 1.0, 1.0)).zone("door")


@pytest.mark.parametrize(
    "corners",
    [
        {"workspace_low": (0.0, 0.0)},
        {"workspace_low": (1.0, 0.0, 0.0), "workspace_high": (0.5, 1.0, 1.0)},
        {"workspace_high": (math.nan, 1.0, 1.0)},
    ],
)
def test_a_box_that_is_none_is_refused(corners):
    with pytest.raises(ParameterError, match="workspace_"):
        SafetyConfig(**corners)
