"""The node's base, as a process over DDS: transitions, parameters, diagnostics, shutdown."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_contract.node.graph_node import EXIT_CANNOT_START, Diagnosis, GraphNode, run
from vla_contract.node.parameters import Config, parameter
from vla_contract.node_testing import Client, NodeProcess, isolated_environment, node_process

# Transitions of the inactive state, while the node is active.
KNOWN = {
    "activate": Transition.TRANSITION_ACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}
DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))


@dataclass(frozen=True)
class ExampleConfig(Config):
    gain: float = parameter(1.0, "Gain.", minimum=0.0, runtime=True)
    path: str = parameter("", "A file.")


class Example(GraphNode[ExampleConfig]):
    def __init__(self) -> None:
        super().__init__("example", ExampleConfig)

        self.create_service(Trigger, "~/fail", self._fail)
        self.create_subscription(String, "~/fail_on", self._fail_on, 10)

    def _fail(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        raise ValueError("not\n today")

    def _fail_on(self, message: String) -> None:
        raise ValueError(message.data)

    def configure(self) -> None:
        if self.config.path:
            raise FileNotFoundError(f"path {self.config.path}:\n no such file")

    def brake(self) -> None:
        self.get_logger().info("braked")

    def clean_up(self) -> None:
        self.get_logger().info("cleaned up")

    def config_changed(self) -> None:
        self.get_logger().info(f"gain is now {self.config.gain}")

    def diagnose(self) -> Diagnosis:
        return Diagnosis(message="working", values={"gain": self.config.gain})


@pytest.fixture
def client():
    client = Client(DOMAIN)
    yield client
    client.close()


def example(**values):
    # The module's folder is not a package: the process finds it by its path.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [os.path.dirname(__file__), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    return node_process("test_graph_node", DOMAIN, values)


def state(client: Client) -> int:
    return client.call(GetState, "/example/get_state", GetState.Request()).current_state.id


def set_parameter(client: Client, name: str, value: ParameterValue):
    request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
    return client.call(SetParameters, "/example/set_parameters", request).results[0]


def status(client: Client, messages: list) -> DiagnosticStatus:
    messages.clear()
    client.wait(lambda: messages)
    return messages[-1].status[0]


def test_starts_by_itself_brakes_and_ends(client):
    with example(gain=2) as process:
        assert state(client) == State.PRIMARY_STATE_ACTIVE
        said = status(client, client.collect(DiagnosticArray, "/diagnostics", 10))
        assert (said.name, said.level, said.message) == ("/example", b"\0", "working")
        assert {v.key: v.value for v in said.values}["gain"] == "2.0"
        assert process.stop(signal.SIGTERM) == 0
        assert process.output.index("braked") < process.output.index("cleaned up")


def test_who_joins_hears_the_last_diagnostics(client):
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    with example(autostart=False):
        assert status(client, client.collect(DiagnosticArray, "/diagnostics", latched))


def test_waits_where_autostart_is_off(client):
    with example(autostart=False):
        assert state(client) == State.PRIMARY_STATE_UNCONFIGURED


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"path": "/none"}, "cannot configure: path /none: no such file"),
        ({"gain": -1.0}, "cannot configure: parameter gain is -1.0; accepted: float, at least 0.0"),
        ({"gain": "high"}, "cannot configure: parameter gain is 'high'; accepted: float"),
    ],
)
def test_a_failure_is_one_line_and_a_diagnosis(client, values, line):
    messages = client.collect(DiagnosticArray, "/diagnostics", 10)
    with example(**values) as process:
        process.wait_for_output(line)
        assert "Traceback" not in process.output
        said = status(client, messages)
        assert said.level == DiagnosticStatus.ERROR
        assert said.message in process.output
        assert state(client) == State.PRIMARY_STATE_UNCONFIGURED


def test_parameters_change_at_run_time_within_their_bounds(client):
    with example() as process:
        double = ParameterType.PARAMETER_DOUBLE
        wrong = set_parameter(client, "gain", ParameterValue(type=double, double_value=-1.0))
        assert not wrong.successful
        assert wrong.reason == "parameter gain is -1.0; accepted: float, at least 0.0"
        fixed = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value="/x")
        assert "fixed while the node is configured" in set_parameter(client, "path", fixed).reason
        right = ParameterValue(type=double, double_value=3.0)
        assert set_parameter(client, "gain", right).successful
        process.wait_for_output("gain is now 3.0")


def test_a_change_while_inactive_is_in_force(client):
    with example(autostart=False) as process:
        change = Transition(id=Transition.TRANSITION_CONFIGURE)
        request = ChangeState.Request(transition=change)
        assert client.call(ChangeState, "/example/change_state", request).success
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=3.0)
        assert set_parameter(client, "gain", value).successful
        process.wait_for_output("gain is now 3.0")


@pytest.mark.parametrize("transition", ["activate", "cleanup", "no such thing"])
def test_a_transition_that_cannot_be_made_is_answered(client, transition):
    with example():
        request = ChangeState.Request(transition=Transition(label=transition))
        if transition in KNOWN:
            request = ChangeState.Request(transition=Transition(id=KNOWN[transition]))
        assert not client.call(ChangeState, "/example/change_state", request).success
        assert state(client) == State.PRIMARY_STATE_ACTIVE


def test_a_service_that_raises_is_answered_with_the_reason(client):
    with example() as process:
        answer = client.call(Trigger, "/example/fail", Trigger.Request())
        assert not answer.success
        assert answer.message == "service ~/fail: ValueError: not today"
        process.wait_for_output("callback failed: service ~/fail: ValueError: not today")


def test_a_message_that_cannot_be_read_is_told_with_its_topic(client):
    with example() as process:
        words = client.publisher(String, "/example/fail_on", 10)
        words.publish(b"\0\1\0\0\xff\xff\xff\x7f")  # a text that is said to be 2 GiB long
        process.wait_for_output(
            "topic /example/fail_on: UnreadableMessage: 8 bytes are no std_msgs/msg/String"
        )


def test_a_callback_that_raises_is_told_with_its_topic_and_the_node_lives(client):
    messages = client.collect(DiagnosticArray, "/diagnostics", 10)
    with example() as process:
        client.publisher(String, "/example/fail_on", 10).publish(String(data="broken"))
        process.wait_for_output("callback failed: topic /example/fail_on: ValueError: broken")
        client.wait(
            lambda: any(
                v.key == "callback_errors" and v.value == "1"
                for m in messages
                for v in m.status[0].values
            )
        )
        assert state(client) == State.PRIMARY_STATE_ACTIVE


@pytest.mark.parametrize("respawned", ["", "true", "True", "yes"])
def test_parameters_that_rcl_refuses_are_said_once(monkeypatch, tmp_path, respawned):
    file = tmp_path / "mixed.yaml"
    file.write_text("/**:\n  ros__parameters:\n    list: [1, 2.5]\n")
    if respawned:
        monkeypatch.setenv("VLA_RESPAWNED", respawned)
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [os.path.dirname(__file__), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    )
    with node_process("test_graph_node", DOMAIN, {}, ["--params-file", str(file)]) as process:
        process.wait_for_output("cannot start: ")
        line = next(each for each in process.output.splitlines() if "cannot start" in each)
        assert str(file) in line and "line_num 3" in line and "./src" not in line
        assert "Traceback" not in process.output
        if respawned:  # a launch would start it again; it waits for the end instead
            with pytest.raises(subprocess.TimeoutExpired):
                process.process.wait(1.0)
            process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(20.0) == EXIT_CANNOT_START


@pytest.mark.parametrize("rule", ["__ns:=/robot-1", "/a:=/b/", "words:=1st"])
def test_a_name_that_rcl_refuses_is_told_with_what_a_name_is(rule):
    with node_process("test_graph_node", DOMAIN, {}, ["-r", rule]) as process:
        process.wait_for_output("cannot start: ")
        assert process.process.wait(20.0) == EXIT_CANNOT_START
        line = next(each for each in process.output.splitlines() if "cannot start" in each)
        assert rule in line
        assert "accepted: names of letters, digits and _, none with a digit first" in line


def test_a_folder_for_logs_that_cannot_be_made_is_told_with_its_variable(monkeypatch):
    monkeypatch.setenv("ROS_LOG_DIR", "/proc/no/logs")
    with example() as process:
        process.wait_for_output("'/proc/no/logs'")
        process.wait_for_output("accepted: a folder that can be written, in ROS_LOG_DIR")
        assert process.process.wait(20.0) == EXIT_CANNOT_START


def test_a_file_that_no_node_would_read_is_told(tmp_path):
    file, other = tmp_path / "wildcard.yaml", tmp_path / "other.yaml"
    file.write_text("/**:\n  ros__parameters:\n    gain: 2.0\n    checkpoint: ''\n")
    other.write_text("perception:\n  ros__parameters:\n    gain: 2.0\n")
    files = ["--params-file", str(file), "--params-file", str(other)]
    with node_process("test_graph_node", DOMAIN, {}, files) as process:
        process.wait_for_output(f"parameters file {other} has nothing for /example")
        assert str(file) not in process.output


def test_a_parameter_that_there_is_not_is_refused(client, tmp_path):
    file = tmp_path / "misspelt.yaml"
    file.write_text("/**/example:\n  ros__parameters:\n    gian: 2.0\n    path: ''\n")
    with node_process("test_graph_node", DOMAIN, {}, ["--params-file", str(file)]) as process:
        process.wait_for_output(
            f"cannot configure: no parameter of this node: gian in {file} (did you mean gain?); "
            "accepted: those in the README of "
        )
        assert state(client) == State.PRIMARY_STATE_UNCONFIGURED
    with example(gian=2.0) as process:
        process.wait_for_output("no parameter of this node: gian (did you mean gain?)")


@pytest.mark.parametrize(("respawned", "ends"), [("false", True), ("true", False)])
def test_a_node_that_cannot_be_configured_ends_a_launch_that_does_not_respawn(
    tmp_path, respawned, ends
):
    launch = tmp_path / "launch.py"  # is asked to end as a launch is, by SIGINT
    launch.write_text(
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job may ignore it
        "node = subprocess.Popen(sys.argv[1:])\n"
        "try:\n"
        "    node.wait()\n"
        "except KeyboardInterrupt:\n"
        "    node.terminate()\n"
        "    print('the launch ends:', node.wait(), flush=True)\n"
    )
    words = [sys.executable, str(launch), sys.executable, __file__, "--ros-args", "-p", "path:=/x"]
    variables = {"VLA_RESPAWNED": respawned, "VLA_END_WITH_PARENT": "true"}
    with subprocess.Popen(
        words,
        env={**isolated_environment(DOMAIN), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "cannot configure: path /x" in line)
        assert "[FATAL]" in line
        if not ends:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1.0)
            process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert f"the launch ends: {EXIT_CANNOT_START if ends else 0}" in rest or not ends


def test_a_keystore_that_does_not_exist_is_one_line(monkeypatch):
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    monkeypatch.setenv("ROS_SECURITY_KEYSTORE", "none")
    with example() as process:
        process.wait_for_output("cannot start: ")
        assert process.process.wait(20.0) == EXIT_CANNOT_START
        assert "none" in process.output
        assert "Traceback" not in process.output


def test_an_interrupt_ends_it_at_once(client):
    with example() as process:
        assert isinstance(process, NodeProcess)
        assert state(client) == State.PRIMARY_STATE_ACTIVE
        assert process.stop(signal.SIGINT, timeout=5.0) == 0


if __name__ == "__main__":
    sys.exit(run(Example))
