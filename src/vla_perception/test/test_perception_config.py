"""The config, its YAML files and the README's tables say the same."""

from pathlib import Path

import pytest
import yaml

from vla_contract.node.parameters import ParameterError, fields, table
from vla_perception.perception_config import CameraConfig, PerceptionConfig

ROOT = Path(__file__).resolve().parents[3]


def parameters(file: str) -> dict:
    (content,) = yaml.safe_load((ROOT / "config" / file).read_text()).values()
    return content["ros__parameters"]


def test_perception_yaml_holds_the_defaults():
    values = parameters("perception.yaml")
    defaults = {name: default for name, default, _ in fields(PerceptionConfig)}
    assert set(defaults) - set(values) == {"cameras", "joint_names"}
    for name, value in values.items():
        default = defaults[name]
        assert value == (list(default) if isinstance(default, tuple) else default), name


@pytest.mark.parametrize("file", ["metaworld.yaml", "single_rgb.yaml"])
def test_camera_files_can_be_read(file):
    values = parameters(f"cameras/{file}")
    cameras = PerceptionConfig(cameras=tuple(values.pop("cameras"))).cameras
    assert set(values) == set(cameras)
    for name in cameras:
        assert set(values[name]) <= {field for field, _, _ in fields(CameraConfig)}
        CameraConfig(**values[name])


def test_the_readme_has_the_tables():
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert table(PerceptionConfig) in readme
    assert table(CameraConfig) in readme


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cameras": ()}, r"parameter cameras is \[\]; accepted: at least one name, each once"),
        ({"cameras": ("a", "a")}, r"parameter cameras is \['a', 'a'\]; .* each once"),
        ({"cameras": ("front camera",)}, "'front camera'"),
        ({"slop": 0.0}, "parameter slop is 0.0"),
        ({"stop_words": ("!",)}, r"parameter stop_words is \['!'\]; accepted: words"),
        ({"min_known_fraction": 1.5}, "0.0 to 1.0"),
    ],
)
def test_refused_values_are_named(values, message):
    with pytest.raises(ParameterError, match=message):
        PerceptionConfig(**values)


@pytest.mark.parametrize(
    ("size", "found"),
    [
        ({"width": 96}, "width and height are 96 and 0"),
        ({"height": 96}, "width and height are 0 and 96"),
        ({"source_height": 9}, "source_width and source_height are 0 and 9"),
    ],
)
def test_half_a_size_is_refused(size, found):
    with pytest.raises(ParameterError, match=f"{found}; accepted: both 0, or both above 0"):
        CameraConfig(**size)


def test_what_is_required_cannot_be_absent():
    with pytest.raises(ParameterError, match="required and absent are both true"):
        CameraConfig(required=True, absent=True)


def test_default_topics():
    assert CameraConfig().topic_of("front") == "camera/front/image_raw"
    assert CameraConfig(compressed=True).topic_of("front") == "camera/front/compressed"
