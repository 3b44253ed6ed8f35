"""The last frames and states of a command."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.remote.mapping.observation_history import ObservationHistory, Past
from vla_policy.remote.remote_mapping import RemoteMapping
from vla_policy.remote.remote_policy import RemotePolicy

STEP = 0.1  # s
KEY = ("video", "front")


def seen(history, number, time, command=1, frames=3):
    """What a request has of the past at this time, s, each frame by its number."""
    request = {"video": {"front": np.full((frames, 2, 2, 3), number, np.uint8)}}
    history.fill(request, round(time * 1e9), command)
    return request["video"]["front"][:, 0, 0, 0].tolist()


@pytest.fixture
def history():
    return ObservationHistory({KEY: Past(3, 2)}, STEP)


def test_the_first_is_repeated_until_there_are_enough(history):
    found = [seen(history, i, i * STEP) for i in range(6)]
    assert found == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5]]


def test_another_command_a_reset_and_a_clock_that_goes_back_begin_again(history):
    seen(history, 1, 1.0)
    assert seen(history, 2, 1.3) == [1, 1, 2]
    assert seen(history, 3, 1.5, command=2) == [3, 3, 3]
    history.reset()
    assert seen(history, 4, 1.6, command=2) == [4, 4, 4]
    assert seen(history, 5, 0.1, command=2) == [5, 5, 5]


def test_the_nearest_in_time_is_taken_where_observations_come_unevenly(history):
    for number, time in enumerate([0.0, 0.17, 0.23, 0.31]):
        seen(history, number, time)
    assert seen(history, 9, 0.42) == [0, 2, 9]


def test_a_camera_of_another_size_begins_again(history):
    seen(history, 1, 0.0)
    request = {"video": {"front": np.full((3, 4, 4, 3), 7, np.uint8)}}
    history.fill(request, round(0.5e9), 1)
    assert (request["video"]["front"] == 7).all()


@given(st.lists(st.floats(0.001, 1.0), min_size=1, max_size=60))
def test_no_more_is_kept_than_is_looked_back(pauses):
    history = ObservationHistory({KEY: Past(3, 2)}, STEP)
    times = np.cumsum(pauses)
    for number, time in enumerate(times):
        found = seen(history, number, float(time))
        assert found == sorted(found) and found[-1] == number
    kept = [stamp for stamp, _ in history._kept]
    assert all(stamp > kept[-1] - 4 * STEP * 1e9 for stamp in kept[1:])


def test_nothing_is_kept_where_nothing_is_wanted():
    history = ObservationHistory({}, STEP)
    request = {"x": 1}
    for time in range(5):
        history.fill(request, time, 1)
    assert request == {"x": 1} and len(history._kept) == 1


class Asked:
    """A link that remembers what it was asked."""

    mapping = None

    def __init__(self):
        self.requests = []

    def ask(self, request, new_command):
        self.requests.append(request)
        return {"actions": np.zeros((16, 4))}


def test_a_policy_is_shown_the_past_of_its_command(space, observation):
    mapping = RemoteMapping.from_dict(
        {
            "images": [{"camera": "corner2", "key": "image", "frames": 2, "layout": "chw"}],
            "state": {"key": "state", "names": ["end_effector.x"], "frames": 3},
            "prompt": "prompt",
            "actions": {"key": "actions", "columns": [0, 1, 2, 3], "units": "si", "period": STEP},
        }
    )
    assert mapping.trial_request()["state"].shape == (3, 1)
    link = Asked()
    remote = RemotePolicy(Checkpoint.without_weights(space), mapping, link)
    for i, command in enumerate([1, 1, 1, 2]):
        given_ = observation(
            stamp=round(i * STEP * 1e9), command_id=command, state={"end_effector.x": float(i)}
        )
        assert remote.answer(given_).problem is None
    assert [request["state"].ravel().tolist() for request in link.requests] == [
        [0, 0, 0], [0, 0, 1], [0, 1, 2], [3, 3, 3]
    ]  # fmt: skip
    assert link.requests[-1]["image"].shape == (2, 3, 96, 96)
    remote.reset()
    remote.answer(observation(stamp=round(1e9), command_id=2, state={"end_effector.x": 9.0}))
    assert link.requests[-1]["state"].ravel().tolist() == [9, 9, 9]
