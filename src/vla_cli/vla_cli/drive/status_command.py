"""`vla status`: what the running graph is doing."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import GetState
from rclpy.qos import DurabilityPolicy, QoSProfile

from vla_cli.client import options
from vla_cli.client.command_errors import raise_on_signals
from vla_cli.client.graph_client import DISCOVERY_TIMEOUT, Graph
from vla_cli.client.repeated_call import RepeatedCall
from vla_contract import message_enums, topics
from vla_contract.message_enums import State
from vla_interfaces.msg import SafetyStatus, TaskState

NODES = ("perception", "policy", "safety", "simulator")
COMPLETE_WAIT = 3.0  # s until every node is discovered and has said how it is
LAST_WAIT = 0.5  # s for a simulator, which not every graph has, once the others are complete
WATCH_PERIOD = 1.0  # s
LEVELS = ("ok", "warning", "error", "stale")  # of DiagnosticStatus


@dataclass
class View:
    """What is known of the graph."""

    domain: int
    namespace: str
    lifecycle: dict[str, str] = field(default_factory=dict)
    diagnostics: dict[str, Any] = field(default_factory=dict)  # node → DiagnosticStatus
    safety: Any = None
    task: Any = None


def main(arguments: list[str]) -> int:
    """0: safety is there and not stopped; 1: stopped, inactive or silent; 2: no graph."""
    parser = options.client("status", "What the running graph is doing.")
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    parser.add_argument("--diagnostics", action="store_true", help="with every node's counters")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    with Graph(chosen.namespace) as graph:
        reader = _Reader(graph)
        while True:
            view = reader.read()
            text = "\n".join(lines(view, chosen.diagnostics))
            clear = "\x1b[H\x1b[J" if chosen.watch and sys.stdout.isatty() else ""
            print(clear + text, flush=True)
            if not chosen.watch:
                return exit_status(view)
            graph.wait(lambda: False, WATCH_PERIOD)


class _Reader:
    """Subscriptions and clients that are kept while the status is watched."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._view = View(graph.domain, graph.namespace)
        self._complete_since = math.inf  # s, time.monotonic()
        graph.subscribe(SafetyStatus, topics.SAFETY_STATUS, self._on_safety)
        graph.subscribe(TaskState, topics.TASK_STATE, self._on_task)
        graph.subscribe(
            DiagnosticArray,
            topics.DIAGNOSTICS,
            self._on_diagnostics,
            QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL),
        )
        self._calls = {n: RepeatedCall(graph.node, GetState, f"{n}/get_state") for n in NODES}

    def _on_safety(self, message: Any) -> None:
        self._view.safety = message

    def _on_task(self, message: Any) -> None:
        self._view.task = message

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            namespace, _, node = status.name.rpartition("/")
            if namespace == self._graph.namespace:
                self._view.diagnostics[node] = status

    def read(self) -> View:
        """The graph as it is now.

        Raises:
            CommandError: there is none.
        """
        graph = self._graph
        for call in self._calls.values():
            call.forget()
        graph.require(graph.nodes, DISCOVERY_TIMEOUT, graph.absence())
        graph.wait(self._complete, COMPLETE_WAIT)
        answers = {node: call.response() for node, call in self._calls.items()}
        present = [node for node in NODES if node in graph.nodes()]
        found = dict.fromkeys(NODES[:3], "absent") | dict.fromkeys(present, "no answer")
        known = {node: answer.current_state.label for node, answer in answers.items() if answer}
        self._view.lifecycle = found | known
        return self._view

    def _complete(self) -> bool:
        """The nodes of every graph are there, and whoever is has said how it is."""
        answered = {node for node, call in self._calls.items() if call.response()}
        present = set(self._graph.nodes()) & set(NODES)
        heard = answered & set(self._view.diagnostics)
        told = self._view.safety and (self._view.task or "simulator" not in present)
        if not told or not set(NODES[:3]) <= present <= heard:
            self._complete_since = math.inf
            return False
        self._complete_since = min(self._complete_since, time.monotonic())
        return present == set(NODES) or time.monotonic() >= self._complete_since + LAST_WAIT


def exit_status(view: View) -> int:
    """0 where safety is there and may move the robot."""
    safety = view.safety
    bad = (SafetyStatus.STATE_INACTIVE, SafetyStatus.STATE_STOPPED)
    return int(safety is None or safety.state in bad)


def lines(view: View, with_diagnostics: bool = False) -> list[str]:
    """The view as text."""
    text = [f"domain {view.domain}, namespace {view.namespace}", ""]
    for node, state in view.lifecycle.items():
        text.append(f"{node:<12} {state:<13}{_health(view, node)}")
    text += ["", *(safety_lines(view.safety) if view.safety else ["safety       silent"])]
    if view.task is not None:
        text += ["", task_line(view.task)]
    if with_diagnostics:
        for node, status in view.diagnostics.items():
            text += ["", f"{node}:"]
            text += [f"  {value.key}: {value.value}" for value in status.values]
    return text


def _health(view: View, node: str) -> str:
    status = view.diagnostics.get(node)
    if status is None:
        return ""
    return f"{LEVELS[ord(status.level)]}: {status.message}"


def safety_lines(status: Any) -> list[str]:
    """What safety says, one fact a line."""
    state = State.words_of(status.state).upper()
    rows = [("state", state + (" (standstill)" if status.standstill else ""))]
    rows += [("cause", status.cause), ("clears when", status.clears_when)]
    rows += [("also", text) for text in status.causes if text != status.cause]
    left = status.recovery_left
    rows += [("recovering", f"another {left:.1f} s" if left > 0.0 else "")]
    command = f"{status.command!r} (id {status.command_id})" if status.command_id else "none"
    rows += [("command", command)]
    age = status.observation_age
    rows += [("observation", f"{age * 1e3:.0f} ms old" if math.isfinite(age) else "none in use")]
    rows += [("limited by", text) for text in map(message_enums.violation_text, status.violations)]
    rows += [("warning", text) for text in map(message_enums.violation_text, status.warnings)]
    rows += [("fault", text) for text in map(message_enums.fault_text, status.faults)]
    outputs = "shadow" if status.shadow else "armed" if status.armed else "disarmed"
    rows += [("input", status.input), ("recording", status.recording)]
    rows += [("outputs", f"{outputs}, speed scale {status.speed_scale:g}")]
    rows += [
        (
            "control loop",
            f"{1.0 / status.period:.0f} Hz, p99 of its error {status.jitter_p99 * 1e3:.2f} ms, "
            f"of its work {status.duration_p99 * 1e3:.2f} ms, overruns {status.overruns}"
            if status.period > 0.0
            else "not running",
        )
    ]
    return [f"{name:<12} {value}" for name, value in rows if value]


def task_line(task: Any) -> str:
    """The simulator's task and verdict in one line."""
    verdict = "success" if task.success else "over, no success" if task.truncated else "running"
    return f"{'task':<12} {task.task}, seed {task.seed}, step {task.step}: {verdict}"
