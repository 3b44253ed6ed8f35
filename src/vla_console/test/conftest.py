"""A page server with a pretended robot behind it, without ROS."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vla_console.action_trace import ActionTrace
from vla_console.console_config import ConsoleConfig
from vla_console.console_state import ConsoleState, SafetyView
from vla_console.episode_recorder import EpisodeRecorder
from vla_contract.message_enums import State

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable")
NO_DRIVE = {"axes": [], "why_not": "it has no arm"}
DRIVE = {"axes": [{"name": "linear_x", "unit": "m/s", "index": 0}], "why_not": ""}


class PretendedRobot:
    """A RobotPort that writes down what is asked of it, and answers at once."""

    namespace = "/vla"

    def __init__(self, state: ConsoleState) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.twists: list[tuple[float, tuple[float, ...]]] = []
        self.demands: list[tuple[frozenset[str], bool]] = []
        self.drivable = DRIVE
        self.answers = True
        self._state = state

    def tell(self, state: State, **more: Any) -> None:
        view = SafetyView(state, stamp=time.time_ns(), **more)
        self._state.accept_safety(view, time.monotonic_ns())

    def command(self, text: str) -> None:
        self.asked.append(("command", text))

    def stop(self, answer: Any) -> None:
        self._note(answer, "stop")
        self.tell(State.STOPPED, cause="the stop service was called", clears_when="reset")

    def reset(self, answer: Any) -> None:
        self._note(answer, "reset")
        self.tell(State.HOLD, cause="reset after a stop", armed=True)

    def arm(self, on: bool, answer: Any) -> None:
        self._note(answer, "arm", on)

    def set_safety_parameter(self, name: str, value: Any, answer: Any) -> None:
        self._note(answer, name, value)

    def drive(self, twist: tuple[float, ...]) -> None:
        self.twists.append((time.monotonic(), twist))

    def demand(self, cameras: frozenset[str], live: bool) -> None:
        self.demands.append((cameras, live))

    def offered(self) -> dict[str, Any]:
        return {"cameras": ["front"], "attention": False, "drive": self.drivable}

    def _note(self, answer: Any, *what: Any) -> None:
        self.asked.append(what)
        if self.answers:
            answer(True, "done by safety")


class Rig:
    """A server that runs, and what is around it."""

    def __init__(self, tmp_path: Any, certificate: Any = None, **config: Any) -> None:
        from vla_console.server.page_server import PageServer, ServerParts

        self.state, self.trace = ConsoleState(), ActionTrace()
        self.robot = PretendedRobot(self.state)
        self.robot.tell(State.HOLD, cause="started; waiting for a new command", armed=True)
        self.lines: list[str] = []
        self.config = ConsoleConfig(port=0, **config)
        episodes = EpisodeRecorder(tmp_path / "episodes", "/vla", 1000.0)
        self.server = PageServer(
            ServerParts(
                self.config, self.state, self.trace, self.robot, episodes, self.lines.append,
                certificate,
            )
        )  # fmt: skip
        self.server.start()

    @property
    def url(self) -> str:
        return self.server.address

    def wait(self, condition: Callable[[], Any], timeout: float = 20.0) -> None:
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, self.lines[-5:]
            time.sleep(0.01)


@pytest.fixture
def make_rig(tmp_path: Any) -> Iterator[Callable[..., Rig]]:
    """Start servers that end with the test."""
    rigs: list[Rig] = []

    def make(**more: Any) -> Rig:
        rigs.append(Rig(tmp_path, **more))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.server.close()


@pytest.fixture
def rig(make_rig: Callable[..., Rig]) -> Rig:
    """One that this machine alone can reach."""
    return make_rig()


@pytest.fixture(scope="module")  # no other may run in its process
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no browser: the page was not tried; Debian's package is chromium")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()
