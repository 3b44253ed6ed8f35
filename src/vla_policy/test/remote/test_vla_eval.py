"""What vla-eval's protocol has of its own: versions, specifications, numbers, episodes."""

import time

import numpy as np
import pytest
from protocol_rig import problem_of, refusal, serving

from vla_proof.test_support import protocol_servers as servers

PROTOCOL = "vla-eval"


@pytest.fixture
def server():
    server = servers.VlaEvalServer()
    yield server
    server.stop()


def test_the_payload_is_an_observation_of_vla_eval_s(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        assert remote.answer(observation()).problem is None
    payload = server.requests[-1]
    assert payload["task_description"] == "open the drawer"
    assert payload["images"]["agentview"].dtype == np.uint8
    assert payload["state"].shape == (4,)


def test_a_single_action_is_a_chunk_of_one_row(server, space, observation, tmp_path):
    server.infer = lambda request: np.full(4, 0.5, np.float32)
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        assert remote.answer(observation()).chunk.actions.shape == (1, 4)


def test_an_answer_of_another_number_is_thrown_away(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path, inference_timeout=0.5) as remote:
        late = server.packed("action", {"actions": np.full((16, 4), -0.5, np.float32)}, 1)
        server.infer = lambda request: late
        assert "no answer within 0.5 s" in problem_of(remote, observation())


def test_a_flood_of_other_numbers_ends_with_the_time(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        other = server.packed("action", {"actions": np.zeros((16, 4), np.float32)}, 1)
        server.flood = other
        start = time.monotonic()
        assert "no answer within 0.5 s" in problem_of(remote, observation())
        assert time.monotonic() - start < 2.0


def test_each_command_is_an_episode(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        before = server.episodes
        for command in ("open", "open", "close"):
            assert remote.answer(observation(command=command)).problem is None
        assert server.episodes == before + 2
        remote.reset()
        assert remote.answer(observation(command="close")).problem is None
        assert server.episodes == before + 3


def test_another_version_is_never_connected(server, space, tmp_path):
    server.hello["protocol_version"] = 2
    refused = pytest.raises(AssertionError, match="speaks vla-eval's protocol 2; accepted: 1")
    with refused, serving(space, PROTOCOL, server, tmp_path, patience=3.0):
        pass


@pytest.mark.parametrize(
    ("hello", "words"),
    [
        ({"observation_spec": {"state": {"dims": 8}}}, "state has 8 dims, the mapping's 4 numbers"),
        (
            {"action_spec": {"position": {"dims": 2}, "gripper": {"dims": 1}}},
            r"actions have 3 dims (position, gripper), the mapping's columns need 4",
        ),
    ],
)
def test_a_server_of_another_robot_is_refused(server, action_space_file, tmp_path, hello, words):
    server.hello.update(hello)
    assert words in refusal(action_space_file, PROTOCOL, server, tmp_path)
    assert not server.requests


def test_what_fits_or_says_no_dims_is_accepted(server, space, observation, tmp_path):
    server.hello["observation_spec"] = {"state": {"dims": 4}, "image": {"dims": 0}}
    server.hello["action_spec"] = {"actions": {"dims": 0}}
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        assert remote.answer(observation()).problem is None
