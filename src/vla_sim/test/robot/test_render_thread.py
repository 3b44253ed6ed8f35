"""Rendering in a thread of its own: only the newest scene, and no error is lost."""

import threading

import pytest

from vla_sim.robot.render_thread import RenderThread


class SlowEnvironment:
    """Renders a scene when it is let."""

    def __init__(self):
        self.go, self.started, self.threads = threading.Event(), threading.Event(), set()
        self.closed_in = None

    def render(self, scene):
        self.threads.add(threading.current_thread().name)
        self.started.set()
        assert self.go.wait(10)
        if scene == "bad":
            raise ValueError("no picture")
        return {"camera": scene}

    def close(self):
        self.closed_in = threading.current_thread().name


@pytest.fixture
def environment():
    return SlowEnvironment()


@pytest.fixture
def renderer(environment):
    renderer = RenderThread(environment)
    yield renderer
    environment.go.set()
    renderer.close()


def test_only_the_newest_of_the_waiting_scenes_is_rendered(environment, renderer):
    first = renderer.submit("first")
    assert environment.started.wait(10)
    second, third = renderer.submit("second"), renderer.submit("third")
    environment.go.set()
    assert first.result(10) == {"camera": "first"}
    assert third.result(10) == {"camera": "third"}
    assert second.cancelled() and renderer.dropped == 1


def test_an_error_goes_to_whoever_asked_and_ends_nothing(environment, renderer):
    environment.go.set()
    with pytest.raises(ValueError, match="no picture"):
        renderer.submit("bad").result(10)
    assert renderer.submit("good").result(10) == {"camera": "good"}


def test_everything_happens_in_one_thread(environment):
    renderer = RenderThread(environment)
    environment.go.set()
    renderer.submit("a").result(10)
    renderer.close()
    assert environment.threads == {"render"} and environment.closed_in == "render"
    with pytest.raises(RuntimeError, match="closed"):
        renderer.submit("b")
