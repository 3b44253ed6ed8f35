"""The files for common robots and cameras: each loads, fits its action space, and launches."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from launched import ROOT, processes, told_arguments
from launched import parameters as launched_parameters

from vla_contract.action_space import ActionSpace
from vla_contract.node import parameters
from vla_perception.perception_config import CameraConfig
from vla_safety.config.obstacle_config import SourceConfig
from vla_safety.config.safety_config import SafetyConfig, check_space

ROBOTS = sorted((ROOT / "config" / "robots").glob("*.yaml"))
CAMERAS = sorted((ROOT / "config" / "cameras").glob("*.yaml"))


def values(path: Path) -> dict:
    (section,) = yaml.safe_load(path.read_text()).values()
    return section["ros__parameters"]


def launched(path: Path) -> dict:
    return processes("vla.launch.xml", **told_arguments(path))


def config(kind, found: dict):
    """The config dataclass of what the files say."""
    known = {name for name, _, _ in parameters.fields(kind)}
    return kind(**{name: value for name, value in found.items() if name in known})


def test_there_is_one_for_each():
    assert {path.stem for path in ROBOTS} == {"turtlebot", "moveit_servo", "so101"}
    shipped = {"metaworld", "so101", "single_rgb"}
    assert {p.stem for p in CAMERAS} - shipped == {"realsense", "zed", "usb", "isaac_ros"}


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_a_robot_loads_and_launches(path):
    nodes = launched(path)
    assert list(nodes) == ["perception", "policy", "safety"]
    found = launched_parameters(nodes["safety"])
    for name, value in values(path).items():  # on top of the defaults, not beside them
        assert found[name] == value, name
    for name in found.get("obstacle_sources", []):
        config(SourceConfig, found[name])
    check_space(config(SafetyConfig, found), ActionSpace.load(found["action_space"]))


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_what_a_robot_is_told_goes_to_its_drivers(path):
    nodes = launched(path)
    space = ActionSpace.load(launched_parameters(nodes["safety"])["action_space"])
    remapped = {w.split(":=")[0]: w.split(":=")[1] for w in nodes["safety"].command if ":=/" in w}
    for dimension in space.dimensions:
        assert dimension.output.topic in remapped, f"{dimension.output.topic} stays in /vla"


@pytest.mark.parametrize("path", CAMERAS, ids=lambda path: path.stem)
def test_a_camera_loads_and_launches(path):
    found = values(path)
    for name in found["cameras"]:
        camera = config(CameraConfig, found[name])
        assert camera.topic and camera.compressed == camera.topic.endswith("compressed")
    if "cameras" in told_arguments(path):
        assert launched_parameters(launched(path)["perception"])["cameras"] == found["cameras"]
    assert set(found) - {"cameras"} == set(found["cameras"])


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_a_file_repeats_few_defaults(path):
    """Small files on top of the defaults: what repeats them hides what matters."""
    known = {name: default for name, default, _ in parameters.fields(SafetyConfig)}
    same = {name for name, value in values(path).items() if known.get(name) == value}
    assert same <= {"base_frame", "obstacle_distance", "workspace_frame", "tip_frame"}
