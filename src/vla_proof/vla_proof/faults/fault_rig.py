"""The graph under test: the real nodes, the pretended robot, and a recorder beside them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from lifecycle_msgs.srv import GetState
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vla_cli.client import domains, paths, processes
from vla_cli.client.command_errors import CommandError
from vla_cli.client.graph_client import CALL_TIMEOUT, Graph
from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import Fault, SafeAction, SafetyStatus
from vla_perception.perception_config import CameraConfig
from vla_policy.remote import protocols
from vla_proof.faults.pretended import pretended_server
from vla_proof.faults.pretended.pretended_policy import CRUISE
from vla_proof.faults.pretended.pretended_robot import FOREIGN
from vla_proof.faults.recorded_commands import MOVING, Measured, Record, Sent, Tick

COMMAND = "open the drawer"
CAMERA = "camera"  # of the shipped camera file
JOINTS = ("left_wheel", "right_wheel")  # of the pretended robot
# Normalised output of the constant policy: 0.3 m/s and a turn, so a circle.
CONSTANT_ACTION = (0.5, 0.4)
READY_TIMEOUT = 60.0  # s
END_TIMEOUT = 3.0  # s
NODES = ("perception", "policy", "safety")
# What the pretended robot has; and ten repeats of a fault in a row must not end in a latched stop.
ROBOT: dict[str, Any] = {
    "required_inputs": ["joint_states", "odom"],
    "obstacle_sources": ["scan"],
    "scan": {"type": "scan", "timeout": 0.3, "use_tf": False},
    "escalation_count": 0,
    "escalation_total": 0,
    "recording_duration": 2.0,
    "recording_tail": 0.2,
}
# The robot stays where it was touched, so that what moves it again is the end of the fault.
PERSON: dict[str, Any] = {
    "people_enabled": True,
    "people_reach": 0.3,
    "contact_force": 20.0,
    "contact_yield": 0.0,
}
FASTER_RECOVERY = 0.5  # s instead of the shipped recovery times, which would make a run an hour
FOREIGN_TICKS = 50  # further ahead than that is another node's tick
NOT_RECORDED = "stop failed"  # the counter in safety's diagnostics
DEEP = QoSProfile(depth=2000)


class Child:
    """A process that takes orders as lines and answers each with a line of JSON."""

    def __init__(self, domain: int, log: Path, *words: str) -> None:
        """words: module and arguments. log: what it prints of errors."""
        self._words = [sys.executable, "-m", *words]
        self._environment = {**os.environ, "ROS_DOMAIN_ID": str(domain)}
        self._log = log
        self.start()

    def start(self) -> None:
        """Start it, or start it anew."""
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                self._words,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
                preexec_fn=processes.end_with_parent(),
            )

    def tell(self, line: str) -> dict[str, Any]:
        """Give an order; returns the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next answer.

        Raises:
            CommandError: the process has ended.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise CommandError(f"{self._words[2]} has ended; see {self._log}")
        return dict(json.loads(line))

    def stop(self) -> None:
        """End it, in order if it can: what is killed stays in the graph until its lease ends."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Robot(Child):
    """The pretended robot; see `robot`."""

    def __init__(self, domain: int, log: Path, sim_time: bool) -> None:
        more = ["--sim-time"] if sim_time else []
        super().__init__(domain, log, "vla_proof.faults.pretended.pretended_robot", *more)

    def order(self, **what: Any) -> dict[str, Any]:
        """Give an order; returns the answer."""
        return self.tell(json.dumps(what or {"look": None}))


class PolicyServer(Child):
    """A policy server; see `pretended_server`. Its first answer comes when it serves."""

    def __init__(self, domain: int, log: Path, protocol: str) -> None:
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = chosen.getsockname()[1]
        self.url = f"{protocols.schemes(protocol)[0]}://127.0.0.1:{port}"
        super().__init__(
            domain, log, "vla_proof.faults.pretended.pretended_server", protocol, str(port)
        )


class Source(Child):
    """A pretended policy; see `source`. Its first answer comes when its publisher appears."""

    def __init__(self, domain: int, log: Path, name: str, linear: float) -> None:
        super().__init__(
            domain, log, "vla_proof.faults.pretended.pretended_policy", name, str(linear)
        )

    def order(self, mode: str) -> dict[str, Any]:
        """Send such chunks from now on; returns the answer."""
        return self.tell(mode)


@dataclass(frozen=True)
class Settings:
    """How a rig is started.

    sim_time: the robot publishes /clock. pretended_policy: `source` in the place of the policy.
    server: protocol of a policy server that the policy node asks; empty: there is none. person:
    people are kept away from, and contact is felt.
    """

    sim_time: bool = False
    pretended_policy: bool = False
    server: str = ""
    person: bool = False

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the real nodes."""
        return ("perception", "safety") if self.pretended_policy else NODES


@dataclass
class Scratch:
    """What a scenario keeps from its beginning to its end."""

    killed: int = 0  # process id
    flood: Child | None = None
    flood_began: dict[str, Any] = field(default_factory=dict)  # its answers
    flood_ended: dict[str, Any] = field(default_factory=dict)
    not_recorded: int = 0  # stops, before the fault
    file_limit: tuple[int, int] = (-1, -1)
    intruder: Any = None
    second_safety: Any = None
    second_source: Source | None = None
    console: subprocess.Popen[bytes] | None = None


class Rig:
    """Everything that runs for a group of scenarios."""

    def __init__(self, settings: Settings, log: Path) -> None:
        """Start it; it is not ready before `wait_until_ready`."""
        self.settings = settings
        self.domain = domains.free()
        self.log = log
        self._folder = tempfile.TemporaryDirectory(prefix="vla_faults_")
        self.folder = Path(self._folder.name)
        self.recordings = self.folder / "recordings"
        self.record = Record()
        self.safety = {**_safety_parameters(), "recording_folder": str(self.recordings)}
        if settings.person:
            self.safety |= PERSON
        share = paths.share()
        self.space_file = share / "config" / "action_spaces" / "mobile_base.yaml"
        self.space = ActionSpace.load(self.space_file)
        self.period = self.space.period
        self.server: PolicyServer | None = None
        if settings.server:
            self.server = PolicyServer(self.domain, log.with_suffix(".server.log"), settings.server)
            self.server.answer()
        environment = {"ROS_HOME": str(self.folder)}
        self.launched = processes.LaunchedGraph(
            "vla", self._arguments(), self.domain, log, environment
        )
        self.robot = Robot(self.domain, log.with_suffix(".robot.log"), settings.sim_time)
        self.policy: Source | None = None
        self.graph = Graph(domain=self.domain)
        self.scratch = Scratch()
        self.notes: dict[str, str] = {}
        self.follow_one = False
        self._listen()

    def _arguments(self) -> dict[str, Any]:
        files = {
            "safety_config": self.safety,
            "perception_config": {"command_timeout": 3600.0, "startup_timeout": 20.0},
            "policy_config": self._policy(),
        }
        arguments: dict[str, Any] = {}
        for name, values in files.items():
            path = self.folder / f"{name}.yaml"
            path.write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
            arguments[name] = path
        return {
            **arguments,
            **self._remote(),
            "checkpoint": "none",
            "action_space": self.space_file,
            "armed": True,
            "respawn": not self.settings.pretended_policy,
            "use_sim_time": self.settings.sim_time,
        }

    def _policy(self) -> dict[str, Any]:
        if self.server is None:
            return {"constant_action": list(CONSTANT_ACTION), "done_count": 0}
        pickles = self.settings.server in protocols.PICKLING
        return {"remote_pickle": pickles, "remote_longest_pause": 0.5}

    def _remote(self) -> dict[str, Any]:
        """Launch arguments of the policy node."""
        if self.server is None:
            return {"backend": "constant"}
        file = self.folder / "mapping.yaml"
        mapping = pretended_server.mapping(self.settings.server, CAMERA, JOINTS)
        file.write_text(yaml.safe_dump(mapping))
        return {
            "backend": "remote",
            "remote_url": self.server.url,
            "remote_protocol": self.settings.server,
            "remote_mapping": file,
        }

    def _listen(self) -> None:
        graph, record = self.graph, self.record
        graph.subscribe(SafeAction, topics.SAFE_ACTION, self._on_action, DEEP)
        graph.subscribe(Twist, "/cmd_vel", self._on_twist, DEEP)
        graph.subscribe(Odometry, "/odom", self._on_odometry, topics.qos_profile("joint_states"))
        graph.subscribe(SafetyStatus, topics.SAFETY_STATUS, self._on_status)
        graph.subscribe(
            Fault,
            topics.FAULT,
            lambda fault: record.alive.__setitem__(fault.source, time.monotonic_ns()),
        )
        graph.subscribe(
            DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, QoSProfile(depth=10)
        )
        self._states = {
            node: graph.node.create_client(GetState, f"{node}/get_state") for node in NODES
        }
        self._triggers = {
            name: graph.node.create_client(Trigger, name)
            for name in (topics.STOP_SERVICE, topics.RESET_SERVICE)
        }
        profile = topics.qos_profile(topics.COMMAND)
        self._command = graph.node.create_publisher(String, topics.COMMAND, profile)

    def _on_action(self, message: Any) -> None:
        tick = _tick(message)
        last = self.record.ticks[-1].number if self.record.ticks else 0
        foreign = self.follow_one and not last < tick.number < last + FOREIGN_TICKS
        (self.record.others if foreign else self.record.ticks).append(tick)

    def _on_twist(self, message: Any) -> None:
        if message.angular.x != FOREIGN:
            values = (message.linear.x, message.angular.z)
            self.record.sent.append(Sent(time.monotonic_ns(), values))

    def _on_odometry(self, message: Any) -> None:
        twist = message.twist.twist
        self.record.measured.append(Measured(time.monotonic_ns(), twist.linear.x, twist.angular.z))

    def _on_status(self, message: Any) -> None:
        state, cause = int(message.state), str(message.cause)
        states = self.record.states
        if not states or states[-1][1:] != (state, cause):
            states.append((time.monotonic_ns(), state, cause))

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            for value in status.values:
                if value.key.endswith(NOT_RECORDED):
                    self.record.not_recorded = int(value.value)

    # Waiting.

    def wait(self, condition: Callable[[], Any], timeout: float) -> bool:
        """Record until the condition holds; False where it does not within `timeout` s."""
        return self.graph.wait(condition, timeout)

    def spin(self, seconds: float) -> None:
        """Record for a while."""
        self.graph.wait(lambda: False, seconds)

    def wait_until_ready(self) -> None:
        """Wait for every node and for a first motion.

        Raises:
            CommandError: they do not come; the message has a node's own words.
        """

        def there() -> bool:
            self.launched.check()
            return set(NODES) <= set(self.record.alive) and bool(self.record.ticks)

        self.graph.require(there, READY_TIMEOUT, f"the graph did not start; see {self.log}")
        if self.settings.pretended_policy:
            os.kill(self.pid("policy"), signal.SIGTERM)  # an orderly end leaves no publisher behind
            self.policy = Source(
                self.domain, self.log.with_suffix(".policy.log"), "policy", CRUISE[0]
            )
            self.policy.answer()
        if not self.move():
            raise CommandError(f"the robot does not move: {self.cause()}; see {self.log}")

    def cause(self) -> str:
        """Why the robot holds, as safety says."""
        return self.record.states[-1][2] if self.record.states else "no safety_status"

    @property
    def publishers_period(self) -> float:
        """How often safety looks for other publishers, s."""
        return float(self.safety.get("publishers_period", 1.0))

    def camera(self, name: str) -> float:
        """A parameter of a camera, as it is by default."""
        return float(getattr(CameraConfig(), name))

    @property
    def last(self) -> Tick | None:
        """The newest command."""
        return self.record.ticks[-1] if self.record.ticks else None

    def cruising(self) -> bool:
        """The last ten commands are one constant motion."""
        recent = self.record.ticks[-10:]
        steady = len(recent) == 10 and len({tick.safe for tick in recent}) == 1
        fresh = steady and time.monotonic_ns() - recent[-1].arrived < 200_000_000
        return bool(fresh and recent[-1].speed > 0.1 and recent[-1].state in MOVING)

    # Doing.

    def say(self, text: str = COMMAND) -> None:
        """Give a command, once perception and safety listen."""
        readers = {"perception", "safety"} & set(self.settings.nodes)
        self.graph.require(
            lambda: (
                readers <= self.graph.readers(topics.COMMAND)
                and self._command.get_subscription_count() >= len(readers)
            ),
            READY_TIMEOUT,
            "nobody listens to commands",
        )
        self._command.publish(String(data=text))

    def move(self, timeout: float = 30.0) -> bool:
        """Command until the robot cruises."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.say()
            if self.wait(self.cruising, 5.0):
                return True
        return False

    def trigger(self, service: str) -> Any:
        """Call stop or reset.

        Raises:
            CommandError: no answer.
        """
        client = self._triggers[service]
        self.graph.require(client.service_is_ready, CALL_TIMEOUT, f"nobody serves {service}")
        future = client.call_async(Trigger.Request())
        self.graph.require(future.done, CALL_TIMEOUT, f"{service} gave no answer")
        return future.result()

    def answers(self, node: str, timeout: float) -> bool:
        """Whether a node answers a service within `timeout` s."""
        client = self._states[node]
        if not self.wait(client.service_is_ready, timeout):
            return False
        future = client.call_async(GetState.Request())
        return self.wait(future.done, timeout)

    def pid(self, node: str) -> int:
        """Process id of a node; of the robot too."""
        return self.robot.process.pid if node == "robot" else self.launched.nodes()[node]

    def _children(self) -> tuple[Child | None, ...]:
        return self.robot, self.policy, self.server, self.scratch.second_source, self.scratch.flood

    def close(self) -> None:
        """End everything."""
        try:
            self.launched.stop()
        finally:
            for child in self._children():
                if child is not None:
                    child.stop()
            self.graph.close()
            domains.release(self.domain)
            if os.path.ismount(self.recordings):  # of a scenario that was interrupted
                subprocess.run(["umount", "--lazy", str(self.recordings)], check=False)
            self._folder.cleanup()


def _tick(message: Any) -> Tick:
    return Tick(
        arrived=time.monotonic_ns(),
        stamp=to_nanoseconds(message.header.stamp),
        number=int(message.tick),
        period=float(message.period),
        safe=tuple(message.safe),
        verdict=int(message.verdict),
        state=int(message.state),
        emergency=bool(message.emergency),
        connected=bool(message.outputs_connected),
        observation=to_nanoseconds(message.observation_stamp),
        command=int(message.command_id),
    )


def _safety_parameters() -> dict[str, Any]:
    """config/safety.yaml, with what the pretended robot has and what the scenarios need."""
    text = (paths.share() / "config" / "safety.yaml").read_text()
    shipped = next(iter(yaml.safe_load(text).values()))["ros__parameters"]
    faster = {name: FASTER_RECOVERY for name in shipped if name.startswith("recovery_")}
    return {**shipped, **faster, **ROBOT}
