"""The launch files: tags of Humble, arguments, and the processes that they give."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from launched import ROOT, parameters, processes

from vla_contract.node.parameters import fields
from vla_contract.node.parent_process import VARIABLE
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.policy_config import PolicyConfig

FILES = sorted((ROOT / "launch").glob("*.launch.xml"))
README = (ROOT / "src" / "vla_bringup" / "README.md").read_text()

# What Humble's launch_xml and launch_ros take; later distributions have more.
HUMBLE = {
    "launch": set(),
    "arg": {"name", "default", "description", "value"},
    "choice": {"value"},
    "let": {"name", "value"},
    "set_env": {"name", "value"},
    "unset_env": {"name"},
    "env": {"name", "value"},
    "executable": {"cmd", "name", "output", "shell"},
    "group": {"scoped"},
    "include": {"file"},
    "node": {"pkg", "exec", "name", "namespace", "output", "respawn", "respawn_delay", "args",
             "ros_args"},
    "param": {"name", "value", "from", "type"},
    "remap": {"from", "to"},
}  # fmt: skip
CONDITIONS = {"if", "unless"}


def arguments(path: Path) -> dict[str, ElementTree.Element]:
    return {e.attrib["name"]: e for e in ElementTree.parse(path).getroot().findall("arg")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_tags_and_attributes_of_humble(path):
    for element in ElementTree.parse(path).iter():
        assert element.tag in HUMBLE, f"{path.name}: <{element.tag}>"
        unknown = set(element.attrib) - HUMBLE[element.tag] - CONDITIONS
        assert not unknown, f"{path.name}: <{element.tag}> has {unknown}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_argument_is_documented(path):
    for name, element in arguments(path).items():
        assert element.attrib.get("description", "").endswith("."), f"{path.name}: {name}"
        assert f"| `{name}` |" in README, f"{path.name}: {name} is not in the README"


def test_what_the_simulation_passes_on_exists():
    known = set(arguments(ROOT / "launch" / "vla.launch.xml"))
    include = ElementTree.parse(ROOT / "launch" / "sim.launch.xml").getroot().find("include")
    assert include is not None
    assert {e.attrib["name"] for e in include.findall("arg")} <= known


def test_the_robot_has_three_nodes():
    nodes = processes("vla.launch.xml")
    assert list(nodes) == ["perception", "policy", "safety"]
    assert all(spec.respawn and spec.node.startswith("/vla/") for spec in nodes.values())
    assert parameters(nodes["safety"])["armed_on_start"] is False
    assert parameters(nodes["policy"])["use_sim_time"] is False


def test_the_simulation_adds_the_simulator():
    nodes = processes("sim.launch.xml", task="door-open", seed="3", lock_step="true")
    assert set(nodes) == {"perception", "policy", "safety", "simulator"}
    assert not nodes["simulator"].respawn
    assert parameters(nodes["simulator"])["task"] == "door-open"
    assert parameters(nodes["simulator"])["seed"] == 3
    for name in ("perception", "policy", "safety"):
        assert parameters(nodes[name])["use_sim_time"] is True
        assert parameters(nodes[name])["lock_step"] is True
    assert parameters(nodes["safety"])["armed_on_start"] is True
    assert parameters(nodes["perception"])["cameras"] == ["corner2", "gripper_pov"]


def test_the_model_brings_its_action_space_and_vocabulary():
    nodes = processes("vla.launch.xml", model="/robot/checkpoint")
    assert parameters(nodes["policy"])["checkpoint"] == "/robot/checkpoint"
    assert parameters(nodes["safety"])["action_space"] == "/robot/checkpoint/action_space.yaml"
    assert parameters(nodes["perception"])["vocabulary"] == "/robot/checkpoint/tokenizer.json"


@pytest.mark.parametrize("file", [path.name for path in FILES])
def test_a_policy_server_is_told_to_the_policy(file):
    told = {
        "backend": "remote",
        "remote_url": "wss://workstation:1",
        "remote_mapping": "/robot/mapping.yaml",
        "fallback_checkpoint": "/robot/checkpoint",
    }
    assert told.items() <= parameters(processes(file, **told)["policy"]).items()


def test_a_policy_server_s_defaults_are_the_node_s():
    defaults = {name: default for name, default, _ in fields(PolicyConfig)}
    found = parameters(processes("vla.launch.xml")["policy"])
    for name in ("remote_url", "remote_mapping", "fallback_checkpoint"):
        assert found[name] == defaults[name]


def test_what_the_robot_s_state_holds_is_told_to_the_policy(tmp_path):
    found = parameters(processes("sim.launch.xml")["policy"])
    Checkpoint.load(found["checkpoint"]).require_state(found["state_names"])
    assert parameters(processes("vla.launch.xml")["policy"])["state_names"] == [""]
    file = tmp_path / "robot.yaml"
    file.write_text("/**/policy: {ros__parameters: {state_names: [joint_1]}}")
    for name in ("robot_policy", "policy_overrides"):
        nodes = processes("vla.launch.xml", **{name: str(file)})
        assert parameters(nodes["policy"])["state_names"] == ["joint_1"]


@pytest.mark.parametrize(
    ("file", "node", "name"),
    [
        (path.name, node, name)
        for path in FILES
        for node, name in (("policy", "warm_up"), ("safety", "chunk_timeout"))
        if f"{node}_overrides" in arguments(path)
    ],
)
def test_an_override_lies_on_top_of_the_robot_s_own_file(tmp_path, file, node, name):
    override = tmp_path / "override.yaml"
    override.write_text(f"/**/{node}: {{ros__parameters: {{{name}: 9}}}}")
    before = parameters(processes(file)[node])
    after = parameters(processes(file, **{f"{node}_overrides": str(override)})[node])
    assert after == {**before, name: 9}


def test_a_replay_s_own_file_is_the_last(tmp_path):
    override = tmp_path / "override.yaml"
    override.write_text("/**/safety: {ros__parameters: {closed_loop: true, chunk_timeout: 9}}")
    found = parameters(processes("replay.launch.xml", safety_overrides=str(override))["safety"])
    assert (found["closed_loop"], found["chunk_timeout"]) == (False, 9)


def test_the_robots_own_topics_are_remapped():
    nodes = processes("vla.launch.xml", joint_states="/arm/states", cmd_vel="/base/cmd_vel")
    assert "joint_states:=/arm/states" in nodes["perception"].command
    assert "joint_states:=/arm/states" in nodes["safety"].command
    assert "cmd_vel:=/base/cmd_vel" in nodes["safety"].command
    simulated = processes("sim.launch.xml")
    assert "end_effector_twist:=end_effector_twist" in simulated["safety"].command


@pytest.mark.parametrize("distro", ["humble", "jazzy", None])
@pytest.mark.parametrize(
    ("network", "range_", "profile"),
    [("false", "SYSTEM_DEFAULT", "fastdds_local.xml"), ("true", "SUBNET", "fastdds.xml")],
)
def test_the_profile_of_fast_dds_decides_who_sees_the_graph(distro, network, range_, profile):
    environment = {"ROS_LOCALHOST_ONLY": "1"} | ({"ROS_DISTRO": distro} if distro else {})
    for spec in processes("sim.launch.xml", environment, network=network).values():
        assert spec.environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == range_
        assert "ROS_LOCALHOST_ONLY" not in spec.environment  # Humble would add transports
        chosen = Path(spec.environment["FASTRTPS_DEFAULT_PROFILES_FILE"])
        assert chosen.read_bytes() == (ROOT / "config" / profile).read_bytes()


@pytest.mark.parametrize(
    ("distro", "expected"),
    [
        ("humble", {"ROS_LOCALHOST_ONLY": "1"}),
        ("jazzy", {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}),
    ],
)
def test_other_middleware_is_kept_here_in_the_spelling_of_its_distribution(distro, expected):
    environment = {"ROS_DISTRO": distro, "RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}
    for spec in processes("sim.launch.xml", environment).values():
        assert expected.items() <= dict(spec.environment).items()
        assert ("ROS_LOCALHOST_ONLY" in spec.environment) == (distro == "humble")


@pytest.mark.parametrize("file", [path.name for path in FILES])
def test_parameter_files_exist(file):
    for spec in processes(file).values():
        for before, word in zip(spec.command, spec.command[1:], strict=False):
            if before == "--params-file":
                assert Path(word).is_file(), f"{file}: {word}"


def test_every_process_is_told_to_end_with_its_launch():
    for spec in processes("sim.launch.xml").values():
        assert spec.environment[VARIABLE] == "true"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_argument_is_empty(path):
    for name, element in arguments(path).items():
        assert element.attrib.get("default"), f"{path.name}: {name}, which ros2 launch cannot set"


@pytest.mark.parametrize("name", ["fastdds.xml", "fastdds_local.xml"])
def test_the_fast_dds_profiles_have_room_for_images(name):
    profile = ElementTree.parse(ROOT / "config" / name)
    sizes = [e.text for e in profile.iter() if e.tag.endswith("segment_size")]
    assert sizes and int(sizes[0]) >= 32 * 2**20


@pytest.mark.parametrize("name", ["fastdds.xml", "fastdds_local.xml"])
def test_a_newcomer_need_not_wait_for_the_next_announcement_of_dds(name):
    texts = {}
    for element in ElementTree.parse(ROOT / "config" / name).iter():
        texts.setdefault(element.tag.rsplit("}", 1)[-1], []).append(element)
    (announcement,) = texts["leaseAnnouncement"]
    assert {each.tag.rsplit("}", 1)[-1]: each.text for each in announcement} == {
        "nanosec": "250000000"
    }
    buffers = texts.get("listenSocketBufferSize", []) + texts.get("receiveBufferSize", [])
    assert [int(each.text) for each in buffers] == [4 * 2**20]


@pytest.mark.parametrize(
    ("namespace", "enclave"),
    [("vla", "/vla/"), ("/robot1", "/robot1/"), ("/", "/"), ("a/b", "/a/b/"), ("/a/b/", "/a/b/")],
)
def test_an_enclave_has_the_namespace_with_whatever_slashes_it_is_given(namespace, enclave):
    for spec in processes("sim.launch.xml", namespace=namespace).values():
        at = spec.command.index("--enclave")
        assert spec.command[at + 1] == enclave + spec.node.rsplit("/", 1)[-1]


def test_what_cannot_start_is_told_whether_it_would_be_started_again():
    for respawn in ("true", "false"):
        for spec in processes("vla.launch.xml", respawn=respawn).values():
            assert spec.environment["VLA_RESPAWNED"] == respawn


def test_security_enforces_and_every_node_has_its_enclave():
    for spec in processes("sim.launch.xml", security="true", keystore="/keys").values():
        assert spec.environment["ROS_SECURITY_ENABLE"] == "true"
        assert spec.environment["ROS_SECURITY_STRATEGY"] == "Enforce"
        assert spec.environment["ROS_SECURITY_KEYSTORE"] == "/keys"
        at = spec.command.index("--enclave")
        assert spec.command[at + 1] == spec.node
    for spec in processes("sim.launch.xml").values():
        assert "ROS_SECURITY_ENABLE" not in spec.environment
