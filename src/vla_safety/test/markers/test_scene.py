"""Zones and workspace as lines, an arm as triangles; what acts is lit up."""

import math

import numpy as np
import pytest

from vla_safety.config.obstacle_config import SourceConfig, ZoneConfig
from vla_safety.config.safety_config import SafetyConfig
from vla_safety.markers import scene
from vla_safety.markers.markers_node import still_drawings
from vla_safety.markers.scene import Drawing, Triggered
from vla_safety.surroundings.measured_pose import SpeedZoneConfig
from vla_safety.surroundings.obstacles.footprint import Shape


def test_each_closed_side_of_a_workspace_has_its_violation_s_name():
    sides = scene.workspace((-0.5, -0.4, 0.0), (0.5, 0.4, math.inf), "base_link")
    names = {side.name: side for side in sides}
    assert set(names) == {"x low", "x high", "y low", "y high", "z low"}
    assert names["x high"].lines.shape == (4, 2, 3)
    assert (names["x high"].lines[..., 0] == 0.5).all()
    assert names["x high"].lines[..., 2].max() == scene.OPEN
    for side in sides:  # around: where one line ends the next begins
        np.testing.assert_array_equal(side.lines[:, 1], np.roll(side.lines[:, 0], -1, axis=0))


@pytest.mark.parametrize(
    ("shape", "farthest"),
    [
        (Shape.circle(0.5), 0.5),
        (Shape.polygon([0.3, 0.4, -0.3, 0.4, -0.3, -0.4, 0.3, -0.4]), 0.5),
        (Shape.polygon([0.3, 0.4, -0.3, 0.4, -0.3, -0.4, 0.3, -0.4]).inflated(0.1), 0.6),
    ],
)
def test_an_outline_is_drawn_as_far_as_it_reaches(shape, farthest):
    corners = scene.outline(shape)
    assert corners.shape[1] == 3 and not corners[:, 2].any()
    assert np.linalg.norm(corners, axis=1).max() == pytest.approx(farthest, abs=2e-3)


def test_zones_are_drawn_as_they_are_configured():
    config = SafetyConfig(
        speed_zones=("ramp",), obstacle_sources=("scan",), obstacle_zones=("near",),
        workspace_low=(-1.0, -1.0, -1000.0), workspace_high=(1.0, 1.0, 1000.0),
    )  # fmt: skip
    made = {
        (SpeedZoneConfig, "ramp"): SpeedZoneConfig(maximum=0.2),
        (SourceConfig, "scan"): SourceConfig(),
        (ZoneConfig, "near"): ZoneConfig(shape="circle", radius=0.7),
    }
    drawings = {(d.group, d.name): d for d in still_drawings(config, lambda *key: made[key])}
    assert {group for group, _ in drawings} == {"workspace", "speed zones", "protective zones"}
    assert drawings["speed zones", "ramp"].text == "ramp: 0.2 m/s"
    assert np.abs(drawings["protective zones", "near"].lines).max() == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("drawing", "acting", "lit"),
    [
        (Drawing("workspace", "x high", "b"), "x high", True),
        (Drawing("workspace", "x low", "b"), "x high", False),
        (Drawing("links", "hand", "b"), "hand–foot", True),
        (Drawing("links", "han", "b"), "hand–foot", False),
        (
            Drawing("links", "foot", "b"),
            "hand–foot (already too near: …)",
            True,
        ),
        (Drawing("pairs", "hand–foot", "b"), "hand–foot (already too near: …)", True),
    ],
)
def test_what_acts_is_lit(drawing, acting, lit):
    assert scene.is_lit(drawing, [Triggered(acting, 0.0, 0.1)]) == lit
