"""The files for common robots and cameras: each loads, fits its action space, and launches."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml

from vla_contract import parameters
from vla_contract.action_space import ActionSpace
from vla_perception.config import CameraConfig
from vla_safety.config import SafetyConfig, check_space
from vla_safety.obstacle_config import SourceConfig

interpreter = pytest.importorskip("launch_runner", reason="pip_ros is not on the path")

ROOT = Path(__file__).resolve().parents[3]
ROBOTS = sorted((ROOT / "config" / "robots").glob("*.yaml"))
CAMERAS = sorted((ROOT / "config" / "cameras").glob("*.yaml"))
SHARE = "$(find-pkg-share vla_bringup)"


def values(path: Path) -> dict:
    (section,) = yaml.safe_load(path.read_text()).values()
    return section["ros__parameters"]


def arguments(path: Path) -> dict[str, str]:
    """The launch arguments that the comment on top of a file tells to use."""
    found = re.findall(r"^#   (\w+):=(.+)$", path.read_text(), re.MULTILINE)
    return {name: value.replace(SHARE, str(ROOT)) for name, value in found}


def launched(path: Path) -> dict:
    base = {k: v for k, v in os.environ.items() if not k.startswith("ROS_")}
    specs = interpreter.interpret(
        ROOT / "launch" / "vla.launch.xml", arguments(path), base | {"ROS_DOMAIN_ID": "7"}
    )
    return {spec.node.rsplit("/", 1)[-1]: spec for spec in specs}


def merged(spec) -> dict:
    """What the parameter files of a process say together, later ones first."""
    found: dict = {}
    for before, word in zip(spec.command, spec.command[1:], strict=False):
        if before == "--params-file":
            for section in yaml.safe_load(Path(word).read_text()).values():
                found |= section["ros__parameters"]
    return found


def config(kind, found: dict):
    """The config dataclass of what the files say."""
    known = {name for name, _, _ in parameters.fields(kind)}
    return kind(**{name: value for name, value in found.items() if name in known})


def test_there_is_one_for_each():
    assert {path.stem for path in ROBOTS} == {"turtlebot", "moveit_servo", "so101"}
    shipped = {"metaworld", "single_rgb"}
    assert {p.stem for p in CAMERAS} - shipped == {"realsense", "zed", "usb", "isaac_ros"}


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_a_robot_loads_and_launches(path):
    nodes = launched(path)
    assert list(nodes) == ["perception", "policy", "safety"]
    found = merged(nodes["safety"])
    for name, value in values(path).items():  # on top of the defaults, not beside them
        assert found[name] == value, name
    for name in found.get("obstacle_sources", []):
        config(SourceConfig, found[name])
    check_space(config(SafetyConfig, found), ActionSpace.load(found["action_space"]))


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_what_a_robot_is_told_goes_to_its_drivers(path):
    nodes = launched(path)
    space = ActionSpace.load(merged(nodes["safety"])["action_space"])
    remapped = {w.split(":=")[0]: w.split(":=")[1] for w in nodes["safety"].command if ":=/" in w}
    for dimension in space.dimensions:
        assert dimension.output.topic in remapped, f"{dimension.output.topic} stays in /vla"


@pytest.mark.parametrize("path", CAMERAS, ids=lambda path: path.stem)
def test_a_camera_loads_and_launches(path):
    found = values(path)
    for name in found["cameras"]:
        camera = config(CameraConfig, found[name])
        assert camera.topic and camera.compressed == camera.topic.endswith("compressed")
    if "cameras" in arguments(path):
        assert merged(launched(path)["perception"])["cameras"] == found["cameras"]
    assert set(found) - {"cameras"} == set(found["cameras"])


@pytest.mark.parametrize("path", ROBOTS, ids=lambda path: path.stem)
def test_a_file_repeats_few_defaults(path):
    """Small files on top of the defaults: what repeats them hides what matters."""
    known = {name: default for name, default, _ in parameters.fields(SafetyConfig)}
    same = {name for name, value in values(path).items() if known.get(name) == value}
    assert same <= {"base_frame", "obstacle_distance", "workspace_frame", "tip_frame"}
