"""The observer of a robot that runs freely, from the subscriptions' callbacks to its sets."""

import array
from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import Image, JointState

from vla_contract.message_enums import Level
from vla_contract.stamps import to_time
from vla_perception.input_health import InputReport
from vla_perception.observe.free_running_observer import FreeRunningObserver
from vla_perception.perception_config import CameraConfig, PerceptionConfig

SECOND = 10**9
START = 1000 * SECOND
FRONT, SIDE, JOINTS = "camera/front/image_raw", "camera/side/image_raw", "joint_states"
RANDOM = np.random.default_rng(3)


class Node:
    """What the observer calls of the perception node; its clock stands until a test moves it."""

    active = True

    def __init__(self):
        self.callbacks, self.published, self.calls, self.lines = {}, [], [], []

    def create_subscription(self, message_type, topic, callback, qos):
        self.callbacks[topic] = callback
        return SimpleNamespace(topic_name=f"/{topic}")

    def get_publishers_info_by_topic(self, topic):
        return []

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=self.time))

    def get_logger(self):
        say = self.lines.append
        return SimpleNamespace(info=say, warning=say, error=say)

    def publish_observation(self, seen):
        self.published.append(seen)
        return len(self.published)

    def update_faults(self):
        self.calls.append("update_faults")

    def advance(self):
        self.calls.append("advance")

    def clock_jumped(self):
        self.calls.append("clock_jumped")


class Timed(FreeRunningObserver):
    def steady(self):
        return self.node.steady_time


class Rig:
    def __init__(self, front=None, side=None, time=START, **values):
        self.node = Node()
        self.node.time = time
        self.node.steady_time = 50.0
        cameras = {"front": front or CameraConfig(required=True), "side": side or CameraConfig()}
        values = {"bad_images": 1, "good_images": 1, "max_image_rate": 0.0, **values}
        config = PerceptionConfig(cameras=tuple(cameras), **values)
        self.observer = Timed(self.node, config, cameras)
        self.observer.restart()

    def wait(self, seconds):
        self.node.time += round(seconds * SECOND)
        self.node.steady_time += seconds

    def image(self, topic, pixels=None, encoding="rgb8", age=0.0):
        if pixels is None:
            pixels = RANDOM.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        message = Image(height=24, width=32, step=96, encoding=encoding)
        message.header.stamp = to_time(self.node.time - round(age * SECOND))
        message.data = array.array("B", pixels.tobytes())
        self.node.callbacks[topic](message)

    def joints(self, position=0.0, age=0.0):
        message = JointState(name=["a"], position=[position])
        message.header.stamp = to_time(self.node.time - round(age * SECOND))
        self.node.callbacks[JOINTS](message)

    def both(self):
        self.image(FRONT)
        self.image(SIDE)

    def taken(self):
        """The sets published since the last call."""
        taken, self.node.published = self.node.published, []
        return taken


@pytest.fixture
def rig():
    return Rig()


def test_a_set_has_the_stamp_of_its_oldest_image_and_the_state_nearest_to_it(rig):
    rig.joints(1.0)
    rig.wait(0.02)
    rig.joints(2.0)
    rig.image(FRONT, age=0.015)
    assert rig.taken() == []
    rig.image(SIDE)
    (seen,) = rig.taken()
    assert seen.stamp == rig.node.time - round(0.015 * SECOND)
    assert set(seen.frames) == {"front", "side"}
    assert list(seen.states[JOINTS].position) == [1.0]


def test_no_incomplete_set_is_published_while_the_last_whole_one_stands_in(rig):
    rig.both()
    assert len(rig.taken()) == 1
    rig.wait(0.05)
    rig.image(FRONT, encoding="nonsense")
    assert rig.observer.set.members == ("side",)
    rig.image(SIDE)
    assert rig.taken() == [], "the required camera is missing, and its last image is still good"
    rig.wait(0.24)
    rig.image(SIDE)
    assert rig.taken() == []
    rig.wait(0.02)  # feature_hold, 0.3 s, is over
    rig.image(SIDE)
    (seen,) = rig.taken()
    assert set(seen.frames) == {"side"}


def test_a_set_that_lacks_a_camera_that_is_not_required_is_published_at_once(rig):
    rig.both()
    rig.taken()
    rig.wait(0.05)
    rig.image(SIDE, encoding="nonsense")
    rig.image(FRONT)
    (seen,) = rig.taken()
    assert set(seen.frames) == {"front"}


def test_the_last_images_stand_in_with_their_age_and_the_present_state(rig):
    rig.joints(1.0)
    rig.both()
    (first,) = rig.taken()
    rig.wait(0.14)
    rig.observer.supervise()
    assert rig.taken() == [] and not rig.observer.holds_images()
    rig.wait(0.02)
    rig.joints(2.0)
    rig.observer.supervise()
    (repeated,) = rig.taken()
    assert rig.observer.holds_images()
    assert repeated.frames == first.frames and repeated.stamp == first.stamp + 1
    assert list(repeated.states[JOINTS].position) == [2.0]
    assert rig.observer.values()["repeated_sets"] == 1
    rig.wait(0.14)
    rig.observer.supervise()
    assert rig.taken() == [] and not rig.observer.holds_images()


def test_what_a_frozen_camera_showed_does_not_stand_in():
    frozen = CameraConfig(required=True, frozen_timeout=0.1, frozen_at_rest=True)
    rig = Rig(front=frozen)
    same = RANDOM.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    rig.image(FRONT, same)
    rig.image(SIDE)
    assert len(rig.taken()) == 1
    rig.wait(0.12)
    rig.image(FRONT, same)
    assert rig.observer.set.members == ("side",), "one frozen image is enough"
    assert rig.observer.drops.values()["dropped.front.frozen"] == 1
    rig.wait(0.06)
    rig.observer.supervise()
    assert rig.taken() == []
    rig.image(SIDE)  # nothing stands in, so what there is is told
    (seen,) = rig.taken()
    assert set(seen.frames) == {"side"}


def test_a_state_that_is_far_from_the_image_or_silent_is_not_taken(rig):
    rig.joints(1.0, age=0.2)
    rig.both()
    (seen,) = rig.taken()
    assert seen.states == {JOINTS: None}
    ((level, line),) = rig.observer.state_findings()
    assert level == Level.ERROR and "is -0.200 s from it; accepted: within slop, 0.1 s" in line
    rig.joints(1.0)
    rig.wait(0.01)
    rig.both()
    assert rig.taken()[0].states[JOINTS] is not None and rig.observer.state_findings() == []
    rig.node.steady_time += 0.6  # more than state_timeout
    rig.wait(0.01)
    rig.both()
    assert rig.taken()[0].states == {JOINTS: None}


@pytest.mark.parametrize(("load", "period"), [(1, 0.02), (1, 0.08), (9, 0.02)])
def test_a_machine_that_is_too_slow_is_told_in_place_of_clocks_that_differ(
    rig, monkeypatch, load, period
):
    monkeypatch.setattr(rig.observer._load, "_running", lambda: load)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    for _ in range(100):
        rig.wait(period)
        rig.observer.on_timer()
    rig.joints(1.0, age=0.2)
    rig.image(FRONT, age=2.0)
    rig.both()
    ((_, state),) = [each for each in rig.observer.state_findings() if "nearest" in each[1]]
    reports = [InputReport("front", "/front", "", "", 9.0, age=2.0)]
    ((_, clock),) = rig.observer.clock_findings(reports)
    refusal = rig.observer.inputs["front"].last_refusal
    quiet = (load, period) == (1, 0.02)
    assert state.endswith("do the clocks agree?") == quiet
    assert clock.endswith("its clock must be this node's") == quiet
    words = f"this machine is too slow for what runs on it (load {load:.1f} on 2 cores; "
    assert all((words in text) != quiet for text in (state, clock, refusal))


def test_a_clock_that_jumps_back_empties_the_buffers(rig):
    rig.joints(1.0)
    rig.both()
    rig.taken()
    rig.observer.on_timer()
    assert rig.node.calls[-2:] == ["advance", "update_faults"]
    assert rig.observer.clock_findings([]) == []
    rig.node.time -= 500 * SECOND
    rig.node.steady_time += 0.2
    rig.observer.on_timer()
    assert "clock_jumped" in rig.node.calls
    assert rig.taken() == [], "nothing of before stands in"
    ((level, line),) = rig.observer.clock_findings([])
    assert (level, "jumped back" in line) == (Level.WARN, True)
    rig.both()
    assert rig.taken()[0].states == {JOINTS: None}, "the state of before is forgotten"


def test_a_clock_that_has_not_started_is_told():
    rig = Rig(time=0)
    rig.observer.on_timer()
    ((level, line),) = rig.observer.clock_findings([])
    assert level == Level.ERROR and "nothing has come on /clock" in line


def test_the_cameras_have_their_time_to_start_once_the_clock_runs():
    rig = Rig(startup_timeout=5.0, time=0)
    rig.observer.on_timer()
    for _ in range(3):
        rig.node.steady_time += 4.0
        rig.observer.on_timer()
    assert rig.node.lines == []
    rig.node.time = START
    rig.observer.on_timer()
    rig.wait(4.9)
    rig.observer.on_timer()
    assert rig.node.lines == []
    rig.wait(0.2)
    rig.observer.on_timer()
    assert any("camera front: no image on " in line for line in rig.node.lines)


def test_a_camera_that_dies_is_told_at_once_and_left_out(rig):
    rig.both()
    rig.wait(0.45)
    rig.image(FRONT)
    rig.wait(0.1)
    rig.node.calls.clear()
    rig.observer.supervise()
    assert rig.observer.set.members == ("front",)
    assert rig.node.calls == ["update_faults"]
    assert any("camera side: no more images on /camera/side/image_raw" in x for x in rig.node.lines)
    assert any("no publisher on /camera/side/image_raw" in x for x in rig.node.lines)


def test_images_that_come_too_fast_or_too_old_are_dropped_and_counted():
    rig = Rig(max_image_rate=1.0, queue_size=2)
    for _ in range(4):
        rig.wait(0.001)
        rig.image(FRONT)
    assert rig.observer.drops.values()["dropped.front.too_fast"] == 2
    rig.image(SIDE, age=1.5)
    assert rig.observer.drops.values()["dropped.side.too_old"] == 1
