"""How the graph of a replay is set up."""

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from launch_runner import interpret
from vla_cli.client import paths
from vla_cli.client.command_errors import CommandError
from vla_cli.replay import replay_graph
from vla_cli.replay.replay_graph import Setup, forward_threads
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_replay.bags.bag_storage import Topic
from vla_replay.play.topic_selection import select

LAUNCH = Path(__file__).resolve().parents[4] / "launch/vla.launch.xml"
TOPICS = {
    name: Topic(name, kind, 3)
    for name, kind in {
        "/camera/corner2/image_raw": "sensor_msgs/msg/Image",
        "/joint_states": "sensor_msgs/msg/JointState",
        "/end_effector_pose": "geometry_msgs/msg/PoseStamped",
    }.items()
}


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 2)])
def test_a_forward_pass_leaves_cores_to_the_other_nodes(monkeypatch, cores, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)))
    assert forward_threads() == threads


@pytest.mark.parametrize(
    ("lock_step", "settings", "threads"),
    [(True, {}, 1), (False, {}, 2), (True, {"policy": {"threads": 3}}, 3)],
)
def test_only_in_lock_step_and_where_nobody_says_otherwise(
    monkeypatch, tmp_path, lock_step, settings, threads
):
    monkeypatch.setattr(replay_graph, "forward_threads", lambda: 1)
    setup = Setup(None, None, lock_step, settings=settings)
    (node,) = yaml.safe_load(Path(setup._policy(tmp_path)).read_text()).values()
    assert node["ros__parameters"]["threads"] == threads


@pytest.fixture(scope="module")
def checkpoint():
    return Checkpoint.load(paths.checkpoint(None))


def setup_of(checkpoint, lock_step, **options):
    return Setup(
        checkpoint, select(TOPICS, replay_graph.needs(checkpoint), {}), lock_step, **options
    )


def safety_of(arguments):
    """The safety node's process, its parameters as it gets them, and its remappings."""
    values = {n: str(v).lower() if isinstance(v, bool) else str(v) for n, v in arguments.items()}
    (spec,) = (s for s in interpret(LAUNCH, values) if s.node and s.node.endswith("/safety"))
    parameters, remaps = {}, {}
    for option, word in zip(spec.command, spec.command[1:], strict=False):
        if option == "--params-file":
            for section in yaml.safe_load(Path(word).read_text()).values():
                parameters.update(section["ros__parameters"])
        elif option == "-r":
            name, _, target = word.partition(":=")
            remaps[name] = target
    return parameters, remaps


@pytest.mark.parametrize("lock_step", [True, False])
def test_no_robot_can_move_whatever_its_safety_file_says(checkpoint, tmp_path, lock_step):
    """In shadow, disarmed, on this machine alone, and every output goes where nobody listens."""
    own = tmp_path / "robot.yaml"
    own.write_text("/**/safety:\n  ros__parameters: {shadow: false, armed_on_start: true}\n")
    made = setup_of(checkpoint, lock_step, safety_config=str(own))
    arguments = made.arguments(tmp_path)
    assert arguments["network"] is False and arguments["use_sim_time"] is True
    parameters, remaps = safety_of(arguments)
    assert parameters["shadow"] is True and parameters["armed_on_start"] is False
    assert parameters["lock_step"] is lock_step and parameters["use_sim_time"] is True
    root = ElementTree.parse(LAUNCH).getroot()
    outputs = {
        arg.attrib["name"] for arg in root.findall("arg") if " out " in arg.attrib["description"]
    }
    assert outputs == set(replay_graph.OUTPUTS)
    assert {remaps[name] for name in outputs} == {f"replay/disconnected/{n}" for n in outputs}


def test_what_the_launch_file_passes_is_set_by_its_argument(checkpoint, tmp_path):
    words = ["safety.speed_scale:=0.5", "safety.stop_words:=[halt]", "policy.remote_url:=ws://a:1"]
    settings = replay_graph.parse_settings(words)
    arguments = setup_of(checkpoint, True, settings=settings).arguments(tmp_path)
    assert arguments["speed_scale"] == 0.5 and arguments["remote_url"] == "ws://a:1"
    for node, name in (("safety", "speed_scale"), ("policy", "remote_url")):
        (section,) = yaml.safe_load(Path(arguments[f"{node}_config"]).read_text()).values()
        assert section["ros__parameters"].get(name) != settings[node][name]
    parameters, _ = safety_of(arguments)
    assert parameters["speed_scale"] == 0.5 and parameters["stop_words"] == ["halt"]


def test_every_parameter_that_the_launch_file_passes_is_set_or_refused():
    """One that is made of an argument and something else has no argument of its own."""
    for node in ("perception", "policy", "safety"):
        params = ElementTree.parse(LAUNCH).getroot().findall(f"node[@name='{node}']/param[@value]")
        names = {each.attrib["name"] for each in params}
        refused = {*replay_graph.FIXED, *replay_graph.OPTIONS}
        assert names and names <= refused | set(replay_graph.launch_arguments(node))


@pytest.mark.parametrize(("name", "option"), replay_graph.OPTIONS.items())
def test_what_an_option_decides_on_is_told(name, option):
    with pytest.raises(CommandError, match=f"accepted is {option}, which decides on it"):
        replay_graph.parse_settings([f"policy.{name}:=x"])


@pytest.mark.parametrize("name", ["shadow", "armed_on_start", "lock_step", "use_sim_time"])
def test_what_keeps_the_robot_still_cannot_be_set(name):
    with pytest.raises(CommandError, match="a replay decides on .* itself"):
        replay_graph.parse_settings([f"safety.{name}:=false"])
