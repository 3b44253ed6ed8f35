"""How a launch starts: a healthy one quietly, a wrong one with one clear line and no motion."""

from __future__ import annotations

import pytest
import yaml
from rcl_interfaces.srv import GetParameters
from std_srvs.srv import Trigger

from system_graph import DOMAIN, ROOT, Launch
from vla_contract.node_testing import Client, wait_until

pytestmark = pytest.mark.system


@pytest.fixture
def start():
    running = []

    def launch(file="vla.launch.xml", **arguments):
        running.append(Launch(file, **arguments))
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


READY = '[vla.perception]: ready: ./vla say "Open a drawer"'


def test_a_healthy_launch_is_quiet_and_says_that_it_is_ready(start, tmp_path):
    override = tmp_path / "override.yaml"
    override.write_text("/**/safety: {ros__parameters: {chunk_timeout: 0.5}}")
    launch = start("sim.launch.xml", safety_overrides=override)
    launch.wait_for_output(READY)
    lines = launch.output.splitlines()
    assert not [line for line in lines if "[WARN]" in line or "[ERROR]" in line], launch.output
    assert READY in lines[-1]

    client = Client(DOMAIN, namespace="vla")
    names = ["chunk_timeout", "workspace_low", "armed_on_start"]
    request = GetParameters.Request(names=names)
    timeout, workspace, armed = client.call(
        GetParameters, "/vla/safety/get_parameters", request
    ).values
    assert (timeout.double_value, armed.bool_value) == (0.5, True)
    assert list(workspace.double_array_value) == [-0.6, 0.3, -0.05], "the simulated robot's own"
    client.close()


def test_a_stop_of_an_earlier_run_is_told_in_the_ready_line(start, tmp_path):
    first = start("sim.launch.xml", safety_overrides=state_in(tmp_path))
    first.wait_for_output(READY)
    client = Client(DOMAIN, namespace="vla")
    assert client.call(Trigger, "/vla/stop", Trigger.Request()).success
    client.close()
    first.stop()
    second = start("sim.launch.xml", safety_overrides=state_in(tmp_path))
    line = second.wait_for_output("ready, stopped since before (")
    assert line.endswith('): ./vla reset, then ./vla say "Open a drawer"'), line
    assert "stopped since an earlier run: " in second.output
    assert "[ERROR]" not in second.output


def state_in(folder):
    file = folder / "state.yaml"
    file.write_text(f"/**/safety: {{ros__parameters: {{state_file: {folder}/state.json}}}}")
    return file


@pytest.mark.parametrize("file", ["sim.launch.xml", "vla.launch.xml"])
def test_a_launch_that_does_not_respawn_ends_itself_and_says_why(start, file):
    launch = start(file, model="/no/such/model", respawn="false")
    wait_until(lambda: launch.process.poll() is not None, 60.0)
    assert launch.process.returncode != 0, launch.output
    last = launch.output.splitlines()[-1]
    assert "[FATAL]" in last and "cannot configure: " in last and "/no/such/model" in last
    assert not launch.pids()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chunk_timout: 0.5", "chunk_timout in FILE (did you mean chunk_timeout?); accepted: "),
        ("speed_scale: 0.1", "speed_scale is 0.1 in FILE and 1.0 by the launch, which comes last"),
    ],
)
def test_a_parameter_that_would_be_lost_ends_the_launch_and_is_named(start, tmp_path, text, words):
    override = tmp_path / "override.yaml"
    override.write_text(f"/**/safety: {{ros__parameters: {{{text}}}}}")
    launch = start("sim.launch.xml", safety_overrides=override)
    wait_until(lambda: launch.process.poll() is not None, 60.0)
    last = launch.output.splitlines()[-1]
    assert words.replace("FILE", str(override)) in last
