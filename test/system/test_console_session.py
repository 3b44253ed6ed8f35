"""A person's whole session with the page, in a real browser and with the simulated robot."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from system_graph import Graph, assert_within_limits, command_until_moving
from vla_interfaces.msg import SafetyStatus

pytest.importorskip("aiohttp")
pytestmark = [pytest.mark.system, pytest.mark.slow]
ADDRESS = "the operator's page: "
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable")
SIZES = {"desk": (1440, 1000), "phone": (420, 860)}
PATIENCE = 60_000  # ms


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graph]:
    """The simulated robot in real time, with the page."""
    folder = tmp_path_factory.mktemp("episodes")
    running = Graph(
        "sim.launch.xml", task="drawer-open", seed=1, respawn="true", console="true",
        console_port=0, console_episodes=folder,
    )  # fmt: skip
    running.episodes = folder
    try:
        running.wait(lambda: running.state() == SafetyStatus.STATE_HOLD, 60.0)
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no browser: the session was not tried; Debian's package is chromium")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def contexts() -> Iterator[list[Any]]:
    """Of a test's pages, which end with it: one that stays would keep control."""
    opened: list[Any] = []
    yield opened
    for context in opened:
        context.close()


def open_page(graph: Graph, browser: Any, contexts: list[Any], size: str) -> Any:
    address = graph.launch.wait_for_output(ADDRESS).split(ADDRESS)[1].split()[0]
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    contexts.append(context)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(address)
    page.wait_for_selector(".camera:not(.off):not(.old)")
    page.click("#control")
    page.wait_for_selector("#control[aria-pressed=true]")
    return page


def shows(page: Any, state: str) -> None:
    page.wait_for_selector(f".state[data-state={state}]")


def take_over(page: Any) -> None:
    """Take over and point at the button that moves upwards.

    A busy machine may end a takeover, which hides the button, before it is pressed.
    """
    from playwright.sync_api import TimeoutError as NotInTime

    button = page.locator('[data-axis=linear_z][data-sign="1"]')
    for _ in range(5):
        if page.get_attribute("#takeover", "aria-pressed") != "true":
            page.click("#takeover")
        try:
            page.wait_for_selector("#jog:not([hidden])", timeout=5_000.0)
            button.scroll_into_view_if_needed(timeout=5_000.0)
            button.hover(timeout=5_000.0)
        except NotInTime:
            continue
        return
    raise AssertionError("no takeover lasts until its button is pressed")


def driven_upwards(graph: Graph) -> bool:
    action = graph.record.actions[-1][1]
    return action.input == "console" and action.safe[2] > 0.02


@pytest.mark.parametrize("size", SIZES)
def test_a_whole_session(graph, browser, contexts, size):
    page = open_page(graph, browser, contexts, size)
    graph.new_episode()
    page.click("#episode-start")
    page.wait_for_selector("text=Recording episode_")
    # Command, and watch it move.
    page.fill("#command-text", "open the drawer")
    page.click("#send")
    graph.wait(lambda: graph.record.speed() > 0.05)
    shows(page, "nominal")
    assert page.inner_text("#in-force") == "open the drawer"
    # Stop by key, from within the field.
    page.focus("#command-text")
    page.keyboard.press("Escape")
    graph.wait(lambda: graph.state() == SafetyStatus.STATE_STOPPED)
    shows(page, "stopped")
    assert "stop" in page.inner_text("#cause").lower()
    assert page.inner_text("#clears").startswith("Goes on when")
    graph.wait(lambda: graph.record.speed() == 0.0)
    # Reset.
    page.click("#reset")
    shows(page, "hold")
    # Take over: the robot moves while the button is held, and no longer.
    take_over(page)
    page.mouse.down()
    graph.wait(lambda: driven_upwards(graph))
    page.mouse.up()
    graph.wait(lambda: graph.record.speed() == 0.0)
    if page.get_attribute("#takeover", "aria-pressed") == "true":  # a busy machine ends it
        page.click("#takeover")
    page.wait_for_selector("#takeover[aria-pressed=false]")
    shows(page, "hold")
    # Mark success.
    page.fill("#note", "with a helping hand")
    page.click("#episode-success")
    page.wait_for_selector("text=is kept as success")
    verdict = json.loads(max(graph.episodes.glob("*/episode.json")).read_text())
    assert verdict["outcome"] == "success" and verdict["note"] == "with a helping hand"
    assert verdict["command"] and verdict["interventions"]
    bag = max(graph.episodes.glob("*/episode.json")).parent / "bag"
    assert (bag / "metadata.yaml").is_file(), "the bag is whole"
    page.wait_for_selector("#recordings li")
    with page.expect_download() as download:
        page.click("#recordings a")
    assert Path(download.value.path()).stat().st_size > 1000
    assert_within_limits([action for _, action in graph.record.actions[-2000:]])
    assert not page.errors


def test_a_console_that_is_killed_while_a_person_drives_brakes_and_nothing_else(
    graph, browser, contexts
):
    page = open_page(graph, browser, contexts, "desk")
    graph.new_episode()
    command_until_moving(graph)
    take_over(page)
    page.mouse.down()
    graph.wait(lambda: driven_upwards(graph))
    (pid,) = graph.launch.pids("console")
    known = len(graph.record.statuses)
    os.kill(pid, signal.SIGKILL)
    graph.wait(lambda: graph.record.speed() == 0.0)

    def held_by_it() -> bool:
        # That its publisher is gone is known a moment later, and said from then on.
        causes = ("console fell silent in motion", "console has ended")
        since = [status for _, status in graph.record.statuses[known:]]
        return any(s.state == SafetyStatus.STATE_HOLD and s.cause in causes for s in since)

    graph.wait(held_by_it)
    page.wait_for_selector("body.stale")
    command_until_moving(graph)  # the robot goes on without it
    assert_within_limits([action for _, action in graph.record.actions[-2000:]])
