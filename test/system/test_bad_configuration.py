"""What is configured wrongly gives one clear line, and the robot does not move."""

from __future__ import annotations

import pytest
import yaml

from system_graph import ROOT, Launch
from vla_contract.node_testing import wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def start():
    running = []

    def launch(**arguments):
        running.append(Launch("vla.launch.xml", **arguments))
        return running[-1]

    yield launch
    for each in running:
        each.stop()


def fatal_lines(launch: Launch) -> list[str]:
    return [line for line in launch.output.splitlines() if "FATAL" in line]


@pytest.mark.parametrize(
    ("arguments", "node", "words"),
    [
        ({"model": "/no/such/model"}, "policy", ["/no/such/model", "config.yaml"]),
        ({"backend": "abacus"}, "policy", ["backend", "abacus", "accepted", "onnxruntime"]),
        ({"action_space": "/no/such.yaml"}, "safety", ["/no/such.yaml", "No such file"]),
        ({"speed_scale": "1.5"}, "safety", ["speed_scale", "1.5", "accepted", "0.0 to 1.0"]),
    ],
    ids=["model", "backend", "action_space", "speed_scale"],
)
def test_a_wrong_argument_is_one_line(start, arguments, node, words):
    launch = start(**arguments)
    wait_until(lambda: any(f"{node}]" in line for line in fatal_lines(launch)), 30.0)
    lines = [line for line in fatal_lines(launch) if f"{node}]" in line]
    assert len(lines) == 1, lines
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in launch.output


def test_a_wrong_value_in_a_cameras_file_is_one_line(start, tmp_path):
    content = yaml.safe_load((ROOT / "config/cameras/metaworld.yaml").read_text())
    values = next(iter(content.values()))["ros__parameters"]
    values[values["cameras"][0]]["width"] = -3
    path = tmp_path / "cameras.yaml"
    path.write_text(yaml.safe_dump(content))
    launch = start(cameras=path)
    line = launch.wait_for_output("cannot configure")
    assert all(word in line for word in (values["cameras"][0], "width", "-3", "accepted")), line


def test_a_camera_that_never_comes_is_named(start):
    launch = start()
    launch.wait_for_output("camera camera: no image on /camera/image_raw for 5.0 s")
    lines = [line for line in launch.output.splitlines() if "camera camera" in line]
    assert len(lines) == 1, lines
    assert "Traceback" not in launch.output
