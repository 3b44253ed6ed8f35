"""Policies against the running graph; and, where Fast DDS can, an intruder at a secured one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from security_policies import DISCOVERY, DdsTopics, Rights, read_policies
from system_graph import DOMAIN, ROOT
from vla_cli.client import domains
from vla_cli.client.graph_client import Graph
from vla_contract.node_testing import isolated_environment

pytestmark = pytest.mark.system
POLICIES = ROOT / "config" / "security"
ON_DEMAND = {"rt/vla/attention"}  # with the parameter attention_overlay
NEWER = "get_type_description"  # a service that Humble's nodes do not have


SETTLED = 3.0  # s without a change of the graph


def used_by_nodes(nodes: set[str], namespace: str, domain: int) -> dict[str, DdsTopics]:
    """What each node of the namespace has on the wire, once all are there and discovery settled."""
    with Graph(namespace, domain) as graph:
        assert graph.wait(lambda: nodes <= set(graph.nodes()), 30.0), graph.nodes()
        before: dict[str, DdsTopics] = {}
        while (now := {name: _ends(graph, name) for name in graph.nodes()}) != before:
            before = now
            graph.wait(lambda: False, SETTLED)
        return now


def _ends(graph: Graph, name: str) -> DdsTopics:
    node = graph.node
    both = (
        node.get_publisher_names_and_types_by_node, node.get_subscriber_names_and_types_by_node
    )  # fmt: skip
    return DdsTopics(*(
        frozenset(topic for topic, _ in ends(name, graph.namespace, no_demangle=True))
        for ends in both
    ))  # fmt: skip


def test_policies_allow_what_the_graph_uses_and_nothing_else(graph):
    """Least privilege both ways: nothing used is missing, nothing allowed is unused."""
    nodes = {"perception", "policy", "safety", "simulator"}
    written, used = read_policies(POLICIES), used_by_nodes(nodes, "vla", DOMAIN)
    for node in nodes:
        for right in ("publish", "subscribe"):
            allowed = getattr(written[node].dds_topics(), right) - {DISCOVERY}
            needed = getattr(used[node], right)
            extra = {name for name in allowed - needed if NEWER not in name} - ON_DEMAND
            assert not needed - allowed, f"{node}.policy.xml lacks what it must {right}"
            assert not extra, f"{node} need not {right}"


def test_who_may_move_the_robot():
    """Only safety sends robot commands, only the policy sends chunks, nobody else may."""
    rights = read_policies(POLICIES)
    for topic, owner in (
        ("/vla/action_chunk", "policy"),
        ("/vla/end_effector_twist", "safety"),
        ("/vla/gripper_effort", "safety"),
        ("/vla/safe_action", "safety"),
        ("/vla/safety_status", "safety"),
        ("/vla/observation", "perception"),
        ("/clock", "simulator"),
    ):
        assert [node for node, right in rights.items() if topic in right.publish] == [owner]


def test_patterns_are_only_for_what_nodes_of_ros2_serve():
    for node, rights in read_policies(POLICIES).items():
        ends = rights.dds_topics()
        patterns = [name for name in ends.publish | ends.subscribe if re.search(r"[*?\[]", name)]
        assert node == "operator" or not patterns
        assert all(name.startswith(("rq/_ros2cli_*/", "rr/_ros2cli_*/")) for name in patterns)


# Of a person at the command line: module that joins a running graph → the command, as it is tried.
COMMANDS = {
    "doctor_qos": "doctor",
    "home": "home",
    "record": "record --seconds 12 --out {folder}/bag",
    "reset": "reset",
    "reset, an episode": "reset --episode",
    "say": "say open the drawer",
    "say, and stay": "say --wait --time-limit 1 open the drawer",
    "status": "status",
    "stop": "stop",
    "why": "why",
}
NEED_NO_GRAPH = {"doctor_qos", "why"}  # and say something else where they may not join one
AS_POLICY = {"doctor_axes"}  # takes the policy node's place, which a person's key does not allow
# What a graph reads of a person, though no command of ours and none in the documents sends it.
BY_OTHER_MEANS = {"rt/vla/command_stamped", "rt/vla/emergency_stop"}
PARAMETERS = (
    "describe_parameters", "get_parameter_types", "get_parameters", "list_parameters",
    "set_parameters", "set_parameters_atomically",
)  # fmt: skip
ROS2 = re.compile(r"ros2 (topic|service|action|param|lifecycle) (\w+)(?: -\S+| \d)* (/vla/[\w/]+)")


def operator() -> DdsTopics:
    """What a person's key allows."""
    return read_policies(POLICIES)["operator"].dds_topics()


def used_by(command: str, folder: Path) -> DdsTopics:
    """What a command has on the wire while the graph runs."""
    file = folder / "ends.jsonl"
    program = [sys.executable, str(Path(__file__).with_name("ends_of_command.py")), str(file)]
    result = subprocess.run(
        [*program, *command.format(folder=folder).split()],
        env=isolated_environment(DOMAIN),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode in (0, 1), result.stderr
    ends = [json.loads(line) for line in file.read_text().splitlines()]
    return DdsTopics(
        *(frozenset(n for each in ends for n in each[way]) for way in ("publish", "subscribe"))
    )


def used_by_ros2(group: str, verb: str, name: str) -> Rights:
    """What a `ros2` command asks of the graph, in Humble or in Jazzy."""
    if group == "topic":
        return Rights(publish={name}) if verb == "pub" else Rights(subscribe={name})
    if group == "service":
        return Rights(request={name})
    if group == "action":
        return Rights(call={name})
    if group == "param":
        return Rights(request={f"{name}/{service}" for service in PARAMETERS})
    return Rights(request={f"{name}/get_state" if verb == "get" else f"{name}/change_state"})


def documented() -> dict[str, DdsTopics]:
    """Each `ros2` command in the documents that names what is in the graph, and what it asks."""
    files = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("src/*/README.md")]
    found = {}
    for file in files:
        for group, verb, name in ROS2.findall(file.read_text(encoding="utf-8")):
            found[f"ros2 {group} {verb} {name}"] = used_by_ros2(group, verb, name).dds_topics()
    return found


def own_of_ros2() -> DdsTopics:
    """What the nodes of `ros2` have, whatever they were started for."""
    services = (*PARAMETERS, NEWER)
    rights = Rights({"/parameter_events", "/rosout"})
    rights.reply = {f"/_ros2cli_*/{service}" for service in services}
    return rights.dds_topics()


def test_the_operator_may_do_what_commands_and_documents_ask_and_nothing_else(graph, tmp_path):
    """Requests and their replies: a command without a right would end where it needs it."""
    used = documented() | {"any node of ros2": own_of_ros2()}
    assert len(used) > 7, "the documents' commands are not found"
    for name, command in COMMANDS.items():
        (tmp_path / name).mkdir()
        used[command] = used_by(command, tmp_path / name)
    for right in ("publish", "subscribe"):
        allowed = getattr(operator(), right)
        needed = {command: getattr(ends, right) for command, ends in used.items()}
        missing = {name: ends - allowed for name, ends in needed.items() if not ends <= allowed}
        assert not missing, f"operator.policy.xml lacks {right}"
        unused = allowed - frozenset().union(*needed.values())
        assert unused <= ON_DEMAND | BY_OTHER_MEANS, f"nobody needs to {right} this"


def test_every_command_that_joins_a_running_graph_is_looked_at():
    joins = re.compile(r"\bGraph\((namespace=)?(chosen\.namespace)?\)")
    found = {
        file.stem.removesuffix("_command")
        for file in (ROOT / "src" / "vla_cli" / "vla_cli").rglob("*.py")
        if joins.search(file.read_text(encoding="utf-8"))
    }
    assert found == {name.partition(",")[0] for name in COMMANDS} | AS_POLICY


# Asks only for what the key of the node that it is named after allows.
PROBE = "import rclpy; rclpy.init(); rclpy.create_node('safety', namespace='/vla')"


@pytest.fixture(scope="module")
def domain() -> Iterator[int]:
    """One of its own: the unsecured graph of the tests above is in the run's domain."""
    own = domains.free()
    yield own
    domains.release(own)


def secured(store: Path, domain: int, enclave: str) -> dict[str, str]:
    return {
        **isolated_environment(domain),
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(store),
        "ROS_SECURITY_ENCLAVE_OVERRIDE": enclave,
    }


def run(environment: dict[str, str], *program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


ENCLAVES = sorted(f"/vla/{path.name.partition('.')[0]}" for path in POLICIES.glob("*.xml"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A keystore with a folder for each enclave, without any key in it."""
    folder = tmp_path_factory.mktemp("security") / "keystore"
    for enclave in ENCLAVES:
        (folder / "enclaves" / enclave.strip("/")).mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def signed_store(tmp_path_factory, domain):
    """A keystore made by the commands of docs/security.md."""
    if shutil.which("ros2") is None:
        pytest.skip("not run: ros2 security is missing")
    folder = tmp_path_factory.mktemp("security") / "signed"

    def security(*words: object) -> None:
        environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        subprocess.run(["ros2", "security", *map(str, words)], env=environment, check=True)

    security("create_keystore", folder)
    for enclave in ENCLAVES:
        policy = POLICIES / f"{Path(enclave).name}.policy.xml"
        security("create_enclave", folder, enclave)
        security("create_permission", folder, enclave, policy)
    result = run(secured(folder, domain, "/vla/safety"), "-c", PROBE)
    if "security libraries" in result.stderr or "not supported" in result.stderr:
        pytest.skip("not run: this Fast DDS is built without DDS security")
    assert result.returncode == 0, result.stderr[-2000:]
    return folder


def test_the_probe_and_the_domain_work_without_security(domain):
    result = run(isolated_environment(domain), "-c", PROBE)
    assert result.returncode == 0, result.stderr


def test_enforce_refuses_a_process_without_an_enclave(store, domain):
    """With or without DDS security no node may come up that believes to be secured and is not."""
    result = run(secured(store, domain, "/vla/nobody"), "-c", PROBE)
    assert result.returncode != 0
    # Its folder is there; its keys, or the security that reads them, are not.
    assert run(secured(store, domain, "/vla/safety"), "-c", PROBE).returncode != 0


@pytest.mark.parametrize(
    "command", [words for module, words in COMMANDS.items() if module not in NEED_NO_GRAPH]
)
def test_a_command_that_may_not_join_says_so_in_one_line(store, domain, tmp_path, command):
    words = (
        [*command.split(), "--out", str(tmp_path / "bag")]
        if command == "record"
        else command.split()
    )
    result = run(secured(store, domain, "/vla/nobody"), "-m", "vla_cli", *words)
    said = [line for line in result.stderr.splitlines() if not line.startswith("[")]
    assert result.returncode == 2 and len(said) == 1, result.stderr
    assert said[0].startswith("vla: cannot join the graph: ") and "enclave /vla/nobody" in said[0]


# Of the graph, one end each, until they are killed.
GRAPH = """
import sys, rclpy
from sensor_msgs.msg import Image
from vla_interfaces.msg import ActionChunk
rclpy.init()
node = rclpy.create_node(sys.argv[1], namespace="/vla", start_parameter_services=False)
if sys.argv[1] == "safety":
    node.create_subscription(ActionChunk, "action_chunk", lambda message: None, 1)
else:
    publisher = node.create_publisher(Image, "camera/corner2/image_raw", 1)
    node.create_timer(0.1, lambda: publisher.publish(Image()))
print("up", flush=True)
rclpy.spin(node)
"""
# Prints "joined" when it is in, and "matched" where the graph lets it do what its argument says.
INTRUDER = """
import sys, time, rclpy
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from vla_interfaces.msg import ActionChunk
rclpy.init()
node = rclpy.create_node(
    "intruder", namespace="/vla", start_parameter_services=False, enable_rosout=False,
    parameter_overrides=[Parameter("start_type_description_service", value=False)],
)
print("joined", flush=True)
heard = []
if sys.argv[1] == "chunk":
    publisher = node.create_publisher(ActionChunk, "action_chunk", 1)
    matched = publisher.get_subscription_count
else:
    topic = "camera/corner2/image_raw"
    node.create_subscription(Image, topic, heard.append, qos_profile_sensor_data)
    matched = lambda: len(heard)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end and not matched():
    rclpy.spin_once(node, timeout_sec=0.1)
print("matched" if matched() else "alone")
"""
LONG, SHORT = "40", "5"  # s until it gives up


@contextlib.contextmanager
def ends_of_the_graph(environments: dict[str, dict[str, str]]) -> Iterator[None]:
    """Node name → the environment that it runs in."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", GRAPH, node],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for node, environment in environments.items()
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def intruder(environment: dict[str, str], what: str, seconds: str) -> tuple[list[str], int]:
    """What it printed, and its exit status."""
    result = run(environment, "-c", INTRUDER, what, seconds)
    return result.stdout.split(), result.returncode


def test_without_security_an_intruder_sends_chunks_and_reads_images(domain):
    open_to_all = isolated_environment(domain)
    with ends_of_the_graph({"safety": open_to_all, "simulator": open_to_all}):
        for what in ("chunk", "image"):
            assert intruder(open_to_all, what, LONG) == (["joined", "matched"], 0)


def test_an_intruder_neither_sends_chunks_nor_reads_images(signed_store, domain):
    keys = {node: secured(signed_store, domain, f"/vla/{node}") for node in (
        "safety", "simulator", "policy", "operator")}  # fmt: skip
    with ends_of_the_graph({node: keys[node] for node in ("safety", "simulator")}):
        for key, what in (("policy", "chunk"), ("operator", "image")):  # who may
            assert intruder(keys[key], what, LONG) == (["joined", "matched"], 0)
        for what in ("chunk", "image"):
            assert intruder(isolated_environment(domain), what, SHORT) == (["joined", "alone"], 0)
        for key, what in (("operator", "chunk"), ("policy", "image")):
            # Of the graph's own keys, but another node's: it may not even create that end.
            printed, status = intruder(keys[key], what, SHORT)
            assert printed == ["joined"] and status != 0
