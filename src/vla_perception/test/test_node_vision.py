"""The node over DDS: cameras that show nothing, the same for ever, or too much."""

import array
import time

import cv2
import numpy as np
import pytest

from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import Fault

FRONT, SIDE = "camera/front/image_raw", "camera/side/compressed"
PARAMETERS = {
    "cameras": ["front", "side"],
    "side.compressed": True,
    "front.frozen_timeout": 0.3,
    "side.frozen_timeout": 0.0,  # its one picture never changes
    "camera_timeout": 2.0,
    "feature_hold": 1.0,
    "startup_timeout": 60.0,
}
BOTH = [True, True]
HEIGHT, WIDTH = 48, 64
RANDOM = np.random.default_rng(7)


class Front:
    """The raw camera, each of whose images differs, until `pixels` says otherwise."""

    def __init__(self, graph):
        self.graph, self.pixels, self.fields = graph, None, {}
        self.timer = graph.every(0.03, self.send)

    def send(self):
        pixels = self.pixels
        if pixels is None:
            pixels = RANDOM.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        height, width = pixels.shape[:2]
        message = self.graph.image(height=height, width=width, step=width * 3, **self.fields)
        message.data = array.array("B", pixels.tobytes())
        self.graph.publish(FRONT, message)


@pytest.fixture
def front(graph):
    """Everything runs, and the arm moves."""
    graph.robot_at = 0.0

    def joints():
        graph.robot_at += 0.001
        graph.publish("joint_states", graph.joints(position=[graph.robot_at, 1.5]), "joint_states")

    graph.every(0.01, joints)
    graph.side()
    front = Front(graph)
    graph.next_observation(lambda each: list(each.image_valid) == BOTH)
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_OK)
    return front


def half():
    pixels = RANDOM.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[HEIGHT // 2 :] = 128
    return pixels


@pytest.mark.parametrize(
    ("reason", "pixels", "words"),
    [
        ("black", np.zeros((HEIGHT, WIDTH, 3), np.uint8), "front: black: its mean is 0.0"),
        ("saturated", np.full((HEIGHT, WIDTH, 3), 255, np.uint8), "front: saturated: 100%"),
        ("uniform", np.full((HEIGHT, WIDTH, 3), 90, np.uint8), "front: uniform"),
        ("half_image", half(), "front: half: its lower 50%"),
        ("changed_size", np.zeros((24, 32, 3), np.uint8), "size is 32x24; accepted: 64x48"),
        ("frozen", half()[:, ::-1] // 2 + RANDOM.integers(0, 99, (HEIGHT, WIDTH, 1), np.uint8),
         "front: frozen: the same picture for"),
    ],
)  # fmt: skip
def test_a_camera_that_shows_nothing_is_masked_and_comes_back(graph, front, reason, pixels, words):
    front.pixels = pixels
    graph.next_observation(lambda each: list(each.image_valid) == [False, True])
    fault = graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, words)
    assert "camera front: no good image" in fault.message
    graph.wait_for_count(f"front.{reason}")
    front.pixels = None
    graph.next_observation(lambda each: list(each.image_valid) == BOTH)
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_OK)


def test_an_image_of_five_seconds_ago_is_refused(graph, front):
    graph.end(front.timer)

    def send():
        message = graph.image(graph.later(-5.0))
        graph.publish(FRONT, message)

    graph.every(0.03, send)
    graph.next_observation(lambda each: list(each.image_valid) == [False, True])
    words = "too old: its stamp is 5.0 s behind the clock; accepted: up to 1 s"
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, words)
    graph.wait_for_count("front.too_old")


def test_a_damaged_jpeg_with_its_end_is_told_from_a_whole_one(graph, front):
    graph.end_timers()
    Front(graph)
    image = cv2.GaussianBlur(RANDOM.integers(0, 255, (240, 320, 3), dtype=np.uint8), (9, 9), 3)
    whole = cv2.imencode(".jpg", image)[1].tobytes()
    damaged = whole[: len(whole) // 2] + whole[-2:]
    graph.every(0.03, lambda: graph.publish(SIDE, graph.compressed(damaged)))
    graph.next_observation(lambda each: list(each.image_valid) == [True, False])
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, "side: damaged: ")


def test_the_last_good_images_stand_in_for_a_bounded_time(graph, front):
    graph.end(front.timer)
    graph.observations.clear()
    repeated = graph.next_observation(
        lambda each: (
            each.observation_stamp.nanosec != each.images[0].header.stamp.nanosec
            and to_nanoseconds(each.observation_stamp)
            - min(to_nanoseconds(image.header.stamp) for image in each.images)
            in range(1, 100)
        )
    )
    assert list(repeated.image_valid) == BOTH
    newer = to_nanoseconds(repeated.joint_state.header.stamp)
    assert newer > to_nanoseconds(repeated.observation_stamp), "the robot's state is new"
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, "the last good one stands in")
    # From its bound on there is nothing, until the camera is given up and the other goes on.
    graph.next_observation(lambda each: list(each.image_valid) == [False, True])
    for seen in graph.observations:
        age = to_nanoseconds(seen.header.stamp) - to_nanoseconds(seen.observation_stamp)
        assert age <= 1.1e9
    assert int(graph.counts()["repeated_sets"]) > 0


def test_a_flood_is_dropped_and_the_node_answers(graph, front):
    graph.end(front.timer)
    for _ in range(4):
        Front(graph).timer.timer_period_ns = 1_000_000
    graph.wait_for_fault(Fault.KIND_VISION, Fault.LEVEL_WARN, "front: it comes too fast")
    graph.wait_for_count("front.too_fast")
    start = time.monotonic()
    graph.say("open the drawer")
    graph.wait_for_command("open the drawer")
    assert time.monotonic() - start < 5.0
    graph.say("stop")
