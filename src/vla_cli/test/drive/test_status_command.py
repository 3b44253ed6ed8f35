"""The status as text."""

from __future__ import annotations

import math

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

from vla_cli.drive import status_command
from vla_interfaces.msg import SafetyStatus, TaskState, Violation


def violation(dimension: str = "linear_x") -> Violation:
    return Violation(
        limit=Violation.LIMIT_ACCELERATION, dimension=dimension, value=42.0, bound=10.0
    )


def test_status_shows_what_there_is():
    safety = SafetyStatus(
        state=SafetyStatus.STATE_STOPPED, cause="stop word", clears_when="reset is called",
        standstill=True, armed=True, speed_scale=0.5, observation_age=math.nan, period=0.0125,
        violations=[violation()],
    )  # fmt: skip
    view_ = status_command.View(7, "/vla", {"safety": "active", "policy": "absent"}, {}, safety)
    view_.task = TaskState(task="drawer-open", seed=3, step=12, success=True)
    text = "\n".join(status_command.lines(view_))
    for piece in (
        "domain 7", "STOPPED (standstill)", "stop word", "reset is called", "speed scale 0.5",
        "linear_x: acceleration", "80 Hz", "absent", "drawer-open, seed 3, step 12: success",
    ):  # fmt: skip
        assert piece in text
    assert status_command.exit_status(view_) == 1
    safety.state = SafetyStatus.STATE_HOLD
    assert status_command.exit_status(view_) == 0
    assert status_command.exit_status(status_command.View(7, "/vla")) == 1


class LateSimulator:
    """A graph whose nodes are complete at once, and whose simulator is discovered later."""

    domain, namespace, node = 7, "/vla", None

    def __init__(self) -> None:
        self.heard: dict = {}
        self.spins = 0

    def subscribe(self, kind, topic, callback, qos=None) -> None:
        self.heard[kind] = callback

    def nodes(self) -> list[str]:
        late = ["simulator"] if self.spins > 3 else []
        return ["perception", "policy", "safety", *late]

    def absence(self) -> str:
        return "no graph"

    def require(self, condition, timeout, what) -> None:
        assert condition()

    def wait(self, condition, timeout) -> None:
        while not condition():
            self.spins += 1
            assert self.spins < 1_000_000
            self.tell()

    def tell(self) -> None:
        self.heard[SafetyStatus](SafetyStatus())
        array = DiagnosticArray(
            status=[DiagnosticStatus(name=f"/vla/{node}") for node in self.nodes()]
        )
        self.heard[DiagnosticArray](array)
        if "simulator" in self.nodes():
            self.heard[TaskState](TaskState(task="drawer-open"))


class Active:
    """A lifecycle service that answers."""

    def __init__(self, node, kind, name) -> None:
        self._answer = kind.Response()
        self._answer.current_state.label = "active"

    def forget(self) -> None: ...

    def response(self):
        return self._answer


def test_a_simulator_that_is_discovered_last_is_waited_for(monkeypatch):
    monkeypatch.setattr(status_command, "RepeatedCall", Active)
    view = status_command._Reader(LateSimulator()).read()
    assert view.lifecycle["simulator"] == "active" and view.task.task == "drawer-open"
