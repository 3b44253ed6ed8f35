"""Parameters of obstacle avoidance: what is refused, and what comes of the defaults."""

import math

import pytest

from vla_contract.node.parameters import ParameterError
from vla_safety.config.obstacle_config import (
    DEFAULT_ZONES,
    ObstacleParameters,
    SourceConfig,
    ZoneConfig,
    build,
)
from vla_safety.surroundings.obstacles.protective_zones import Action


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (SourceConfig, {"type": "radar"}, "one of scan, range, pointcloud"),
        (SourceConfig, {"timeout": 0.0}, "parameter timeout is 0.0"),
        (SourceConfig, {"mount": (0.0, 0.0)}, "accepted: x, y, z, roll, pitch, yaw"),
        (SourceConfig, {"min_height": 1.0, "max_height": 0.5}, "the lower one first"),
        (ZoneConfig, {"action": "flee"}, "one of stop, slowdown, limit, approach"),
        (ZoneConfig, {"shape": "star"}, "one of footprint, polygon, circle"),
        (ZoneConfig, {"shape": "polygon", "points": (0.0, 0.0)}, "at least 3 points"),
        (ZoneConfig, {"min_points": 0}, "parameter min_points is 0"),
        (ZoneConfig, {"slowdown_ratio": 1.5}, "0.0 to 1.0"),
        (ZoneConfig, {"simulation_time_step": 3.0}, "at most time_before_collision"),
        (ObstacleParameters, {"obstacle_sources": ("a b",)}, "a letter, then letters"),
        (ObstacleParameters, {"obstacle_sources": ("a", "a")}, "each name once"),
        (ObstacleParameters, {"obstacle_sources": ("slow_zone",)}, "each name once"),
        (ObstacleParameters, {"footprint": (0.0, 0.0, 1.0, 0.0, 2.0, 0.0)}, "no area"),
        (ObstacleParameters, {"obstacle_distance": math.nan}, "parameter obstacle_distance"),
    ],
)
def test_what_is_refused(config, values, message):
    with pytest.raises(ParameterError, match=message) as caught:
        config(**values)
    assert "accepted" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_zone_cannot_look_at_a_source_that_there_is_not():
    parameters = ObstacleParameters(obstacle_sources=("scan",), obstacle_zones=("zone",))
    with pytest.raises(ParameterError, match="zone: parameter sources has 'sonar'; accepted: scan"):
        build(parameters, {"scan": SourceConfig()}, {"zone": ZoneConfig(sources=("sonar",))})


def test_the_defaults_are_on_and_safe():
    parameters = ObstacleParameters(obstacle_sources=("scan",))
    config = build(parameters, {"scan": SourceConfig()}, DEFAULT_ZONES)
    assert [setting.zone.action for setting in config.zones] == [Action.SLOWDOWN, Action.APPROACH]
    assert config.minimum_distance == 0.15
    assert config.warning_distance == 0.3
    assert SourceConfig().timeout == 0.5
    assert all(setting.zone.min_points == 1 for setting in config.zones)


def test_shapes_of_zones():
    names = ("a", "b", "c")
    zones = {
        "a": ZoneConfig(shape="circle", radius=2.0),
        "b": ZoneConfig(shape="polygon"),
        "c": ZoneConfig(margin=0.3),
    }
    parameters = ObstacleParameters(obstacle_zones=names, footprint_radius=0.4)
    settings = build(parameters, {}, zones).zones
    assert [setting.margin for setting in settings] == [None, None, 0.3]
    assert settings[0].zone.shape.reach == 2.0
    assert settings[1].zone.shape.reach == pytest.approx(math.sqrt(0.5))
    assert settings[2].zone.shape.reach == pytest.approx(0.7)


def test_topics():
    assert SourceConfig().topic_of("scan") == "scan"
    assert SourceConfig(topic="front/scan").topic_of("scan") == "front/scan"
