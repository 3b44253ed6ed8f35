"""The page in a real browser, with a pretended robot: what is old looks old, all fits a phone."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest

pytest.importorskip("aiohttp")

from vla_console.camera_pictures import Encoded, Picture
from vla_console.console_state import LimitView
from vla_contract.message_enums import State

SIZES = {
    "desk": (1440, 1000),
    "desk at 200 %": (720, 500),
    "tablet": (820, 1180),
    "phone": (420, 860),
}
JPEG = cv2.imencode(".jpg", np.full((60, 80, 3), (40, 200, 60), np.uint8))[1].tobytes()


class Camera:
    """Sends pictures of a colour until it is stopped."""

    def __init__(self, rig):
        self._rig, self._ended = rig, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        sequence = 0
        while not self._ended.wait(0.05):
            sequence += 1
            encoded = Encoded(JPEG, 80, 60, time.time_ns())
            self._rig.server.show(Picture("front", sequence, encoded, time.monotonic_ns()))

    def stop(self):
        self._ended.set()
        self._thread.join()


@pytest.fixture
def camera(rig):
    made = Camera(rig)
    yield made
    made.stop()


@pytest.fixture
def open_page(browser, rig):
    contexts = []

    def open_it(size="desk"):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        page = context.new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
        page.goto(rig.url)
        page.wait_for_selector("body:not(.stale)")
        return page

    yield open_it
    for context in contexts:
        context.close()


def take_control(page):
    page.click("#control")
    page.wait_for_selector("#control[aria-pressed=true]")


def test_an_old_picture_never_looks_live(open_page, camera):
    page = open_page()
    page.wait_for_selector(".camera:not(.off):not(.old)")
    assert page.locator(".old-text").is_hidden()
    camera.stop()
    page.wait_for_selector(".camera.old")
    assert "OLD PICTURE" in page.inner_text(".old-text")
    assert "grayscale" in page.evaluate("getComputedStyle(document.querySelector('canvas')).filter")
    assert not page.errors


def test_a_dead_console_is_said_at_once_and_greys_the_page(open_page, rig, camera):
    page = open_page()
    page.wait_for_selector(".camera:not(.off)")
    take_control(page)
    rig.server.close()
    page.wait_for_selector("body.stale", timeout=3000)
    assert "Not connected" in page.inner_text("#stale-banner")
    page.wait_for_selector(".camera.old")
    assert "grayscale" in page.evaluate("getComputedStyle(document.querySelector('main')).filter")
    for button in ("send", "arm", "reset", "takeover", "control"):
        assert page.is_disabled(f"#{button}"), button
    page.keyboard.press("Escape")
    page.wait_for_selector("text=could not be sent")


def test_a_silent_safety_node_is_not_shown_as_it_was(open_page, rig):
    page = open_page()
    rig.robot.tell(State.NOMINAL)
    page.wait_for_selector(".state[data-state=silent]")  # nobody tells its state any more
    assert page.inner_text("#state").lower() == "unknown"
    assert "safety is silent" in page.inner_text("#link-text")


@pytest.mark.parametrize("size", SIZES)
def test_everything_fits_and_the_stop_is_in_reach(open_page, rig, camera, size):
    page = open_page(size)
    limit = LimitView("jerk", "linear_x", "linear_x: jerk 1234 > 1000")
    rig.robot.tell(State.DEGRADED, cause="x" * 300, clears_when="y" * 200, limits=(limit,) * 6)
    page.wait_for_selector(".state[data-state=degraded]")
    width, height = SIZES[size]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = page.evaluate(
        """() => [...document.querySelectorAll("main *, header *")].filter(e => {
          const box = e.getBoundingClientRect();
          return box.width && box.right > innerWidth + 1;
        }).map(e => e.outerHTML.slice(0, 80))"""
    )
    assert not cut
    for place in (0, 10_000):
        page.evaluate(f"scrollTo(0, {place})")
        box = page.locator("#stop").bounding_box()
        assert box["y"] + box["height"] <= height and box["height"] >= 60
        assert box["width"] >= min(400, 0.9 * width)
        hit = page.evaluate(
            "([x, y]) => document.elementFromPoint(x, y).closest('#stop') !== null",
            [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2],
        )
        assert hit, "nothing lies over it"
    assert not page.errors


def test_it_works_by_keyboard_alone(open_page, rig):
    page = open_page()
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id"))
    assert {"control", "command-text", "stop"} <= set(seen)
    outline = page.evaluate(
        "document.getElementById('control').focus(), "
        "getComputedStyle(document.getElementById('control')).outlineStyle"
    )
    assert outline != "none"
    page.keyboard.press("Enter")
    page.wait_for_selector("#control[aria-pressed=true]")
    page.focus("#command-text")
    page.keyboard.type("open the drawer")
    page.keyboard.press("Enter")
    rig.wait(lambda: rig.robot.asked == [("command", "open the drawer")])
    page.keyboard.press("Escape")  # from within the field
    rig.wait(lambda: rig.robot.asked[-1] == ("stop",))
    page.wait_for_selector(".state[data-state=stopped]")
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, canvas")].filter(e =>
          !(e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length))
          .map(e => e.outerHTML)"""
    )
    assert not unnamed


def test_a_click_that_moves_the_robot_asks_back_and_the_stop_stays_in_reach(open_page, rig):
    rig.state.accept_known_commands({"drawer": ["open the drawer"]})
    rig.state.accept_question('I do not know "it"; did you mean "open the drawer"?')
    rig.robot.tell(State.HOLD)
    page = open_page()
    take_control(page)
    page.click("#answers button")
    page.wait_for_selector("#confirm[open]")
    assert rig.robot.asked == []
    page.click("#confirm-no")
    page.click("#arm")
    page.wait_for_selector("#confirm[open]")
    page.click("#stop")
    rig.wait(lambda: rig.robot.asked == [("stop",)])
    assert not page.is_visible("#confirm")
    page.click("#answers button")
    page.click("#confirm-yes")
    rig.wait(lambda: rig.robot.asked[-1] == ("command", "open the drawer"))


def test_a_jog_button_drives_while_it_is_held(open_page, rig):
    page = open_page()
    take_control(page)
    page.click("#takeover")
    page.wait_for_selector("#jog:not([hidden])")
    button = page.locator('[data-axis=linear_x][data-sign="1"]')
    button.hover()
    page.mouse.down()
    rig.wait(lambda: rig.robot.twists and rig.robot.twists[-1][1][0] == pytest.approx(0.05))
    page.mouse.up()
    rig.wait(lambda: rig.robot.twists[-1][1] == (0.0,) * 6)
    button.focus()
    page.keyboard.down("Space")
    rig.wait(lambda: rig.robot.twists[-1][1][0] == pytest.approx(0.05))
    page.evaluate("dispatchEvent(new Event('blur'))")  # the window loses the keyboard
    rig.wait(lambda: rig.robot.twists[-1][1] == (0.0,) * 6)
    page.keyboard.up("Space")
    page.close()  # while it drives
    count = len(rig.robot.twists)
    rig.wait(lambda: rig.server.control.holder is None)
    assert len(rig.robot.twists) - count <= 5
    assert rig.server.control.driving is None


def test_garbage_from_the_robot_shows_as_text(open_page, rig):
    """What nodes say is never markup."""
    rig.state.accept_question("<img src=x onerror=alert(1)><script>alert(2)</script>")
    rig.robot.tell(State.HOLD, cause="<b>bold</b>", command="<i>x</i>")
    page = open_page()
    page.wait_for_selector("#question:not([hidden])")
    assert "<script>" in page.inner_text("#question-text")
    assert "<b>bold</b>" in page.inner_text("#cause").lower()
    assert page.locator("#question img, #cause b").count() == 0
