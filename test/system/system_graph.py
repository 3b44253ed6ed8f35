"""The graph as processes, started by its launch files and looked at from outside."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from vla_contract import topics
from vla_contract.action_space import ActionSpace
from vla_contract.node_testing import Client, isolated_environment, wait_until
from vla_interfaces.msg import SafeAction, SafetyStatus, TaskState
from vla_interfaces.srv import ResetEpisode

ROOT = Path(__file__).resolve().parents[2]
COMMAND = "open the drawer"
RECORDER_DEPTH = 1000  # nothing is lost while the test itself waits for its turn on a busy machine
AGAIN = 5.0  # s after which a command that moves nothing is given again
DOMAIN = int(os.environ.get("ROS_DOMAIN_ID", "42"))
ACTION_SPACE = ActionSpace.load(ROOT / "config" / "action_spaces" / "metaworld.yaml")


def launch_command(file: str) -> list[str]:
    """`ros2 launch` where ROS is installed, else the runner of pip_ros."""
    path = str(ROOT / "launch" / file)
    if importlib.util.find_spec("ros2launch"):
        return ["ros2", "launch", path]
    return [sys.executable, "-m", "launch_runner", path]


class Launch:
    """A launch file that runs; `output` is what its nodes print."""

    def __init__(self, file: str, **arguments: Any) -> None:
        self._log = tempfile.NamedTemporaryFile(suffix=".log", delete=False)
        # A latched stop of an earlier run in this domain is none of this one's business.
        self._home = tempfile.TemporaryDirectory(prefix="vla_test_")
        settings = [f"{name}:={value}" for name, value in arguments.items()]
        self.process = subprocess.Popen(
            [*launch_command(file), *settings],
            env={**isolated_environment(DOMAIN), "ROS_HOME": self._home.name},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def wait_for_output(self, text: str, timeout: float = 60.0) -> str:
        wait_until(lambda: text in self.output or self.process.poll() is not None, timeout)
        assert text in self.output, self.output[-4000:]
        return next(line for line in self.output.splitlines() if text in line)

    def pids(self, node: str = "") -> list[int]:
        """Processes of a node, or of every node that this launch file started."""
        wanted = f"__node:={node}"
        return [pid for pid in _descendants(self.process.pid) if wanted in _command_line(pid)]

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
                raise
        return self.process.returncode


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        todo += (new := children.get(todo.pop(), []))
        found += new
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@dataclass
class Recorder:
    """What the graph says of itself, with the steady time at which it came."""

    actions: list[tuple[float, SafeAction]] = field(default_factory=list)
    statuses: list[tuple[float, SafetyStatus]] = field(default_factory=list)
    tasks: list[TaskState] = field(default_factory=list)
    faults: list[tuple[float, Any]] = field(default_factory=list)

    def speed(self) -> float:
        """Greatest velocity command of the last period, m/s."""
        return speed(self.actions[-1][1]) if self.actions else 0.0


def speed(action: SafeAction) -> float:
    pairs = zip(action.safe, ACTION_SPACE.dimensions, strict=True)
    return max(abs(value) for value, dimension in pairs if dimension.kind.is_velocity)


class Graph:
    """The running graph with a client in its namespace."""

    def __init__(self, file: str, **arguments: Any) -> None:
        self.launch = Launch(file, **arguments)
        self.client = Client(DOMAIN, namespace="vla")
        self.record = Recorder()
        lock_step = bool(arguments.get("lock_step") == "true")
        self._record("actions", SafeAction, topics.SAFE_ACTION, lock_step)
        self._record("statuses", SafetyStatus, topics.SAFETY_STATUS, lock_step)
        self.client.node.create_subscription(
            TaskState,
            topics.TASK_STATE,
            self.record.tasks.append,
            topics.qos_profile(topics.TASK_STATE, lock_step=lock_step),
        )
        self._command = self.client.node.create_publisher(
            String, topics.COMMAND, topics.qos_profile(topics.COMMAND)
        )

    def _record(self, name: str, message_type: Any, topic: str, lock_step: bool) -> None:
        messages = getattr(self.record, name)
        profile = topics.qos_profile(topic, lock_step=lock_step)
        profile.depth = RECORDER_DEPTH
        self.client.node.create_subscription(
            message_type,
            topic,
            lambda message: messages.append((time.monotonic(), message)),
            profile,
        )

    def wait(self, condition: Callable[[], Any], timeout: float = 60.0) -> None:
        try:
            self.client.wait(condition, timeout)
        except AssertionError as error:
            status = self.record.statuses[-1][1] if self.record.statuses else None
            raise AssertionError(f"{error}\n{status}\n{self.launch.output[-3000:]}") from error

    def state(self) -> int:
        return self.record.statuses[-1][1].state if self.record.statuses else 0

    def say(self, text: str) -> float:
        """Publish a command; returns the steady time."""
        self.wait(lambda: self._command.get_subscription_count() >= 2)
        now = time.monotonic()
        self._command.publish(String(data=text))
        return now

    def trigger(self, service: str) -> Any:
        return self.client.call(Trigger, f"/vla/{service}", Trigger.Request())

    def arm(self, value: bool) -> Any:
        return self.client.call(SetBool, f"/vla/{topics.ARM_SERVICE}", SetBool.Request(data=value))

    def new_episode(self, task: str = "drawer-open", seed: int = 1) -> Any:
        """At rest, in HOLD, with the scene set up anew."""
        if self.state() == SafetyStatus.STATE_STOPPED:
            assert self.trigger(topics.RESET_SERVICE).success
        self.say("stop")
        self.wait(lambda: self.state() == SafetyStatus.STATE_HOLD and self.record.speed() == 0.0)
        request = ResetEpisode.Request(task=task, seed=seed)
        answer = self.client.call(ResetEpisode, "/vla/reset_episode", request)
        assert answer.success, answer.message
        return answer

    def close(self) -> None:
        try:
            self.launch.stop()
        finally:
            self.client.close()


def move(graph: Graph, command: str = COMMAND) -> None:
    """A new episode, and the arm in motion."""
    graph.new_episode()
    command_until_moving(graph, command)


def command_until_moving(graph: Graph, command: str = COMMAND, timeout: float = 60.0) -> None:
    """Give a command, and again where a node that has just started may not have heard it."""
    said = -AGAIN

    def moving() -> bool:
        nonlocal said
        if time.monotonic() - said > AGAIN:
            said = graph.say(command)
        return graph.record.speed() > 0.05

    graph.wait(moving, timeout)


def assert_within_limits(actions: list[SafeAction]) -> None:
    """Velocity, acceleration and jerk by finite differences, of what was sent."""
    ticks = np.array([action.tick for action in actions])
    values = np.array([action.safe for action in actions])
    period = actions[0].period
    consecutive = np.diff(ticks) == 1
    rates = np.diff(values, axis=0) / period
    jerks = np.diff(rates, axis=0) / period
    for d, dimension in enumerate(ACTION_SPACE.dimensions):
        limits = dimension.emergency
        assert np.all(values[:, d] >= dimension.low - 1e-9)
        assert np.all(values[:, d] <= dimension.high + 1e-9)
        first, second = limits.velocity, limits.acceleration
        if dimension.kind.is_velocity:
            assert np.all(np.abs(values[:, d]) <= limits.velocity * (1 + 1e-9))
            first, second = limits.acceleration, limits.jerk
        both = consecutive[1:] & consecutive[:-1]
        assert np.all(np.abs(rates[consecutive, d]) <= first * (1 + 1e-6)), dimension.name
        assert np.all(np.abs(jerks[both, d]) <= second * (1 + 1e-6)), dimension.name
