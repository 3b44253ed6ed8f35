"""What is OpenVLA's own: arrays as text, single actions, errors with status 200."""

import json
import threading
import time

import numpy as np
import pytest
from protocol_rig import mapping_file, problem_of, refusal, serving

from vla_policy.remote.remote_mapping import RemoteMapping
from vla_proof.test_support import protocol_servers as servers

PROTOCOL = "openvla"


@pytest.fixture
def server():
    server = servers.OpenvlaServer()
    yield server
    server.stop()


def test_the_payload_is_openvla_oft_s(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        assert not problem_of(remote, observation())
    sent = server.requests[-1]
    assert sent["instruction"] == "open the drawer" and sent["state"].shape == (4,)
    assert sent["full_image"].dtype == np.uint8 and sent["full_image"].shape == (96, 96, 3)


def test_a_single_action_is_a_chunk_of_one_row(server, space, observation, tmp_path):
    server.as_list = False
    server.infer = lambda request: np.full(4, 0.5)
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        chunk = remote.answer(observation()).chunk
        assert chunk.actions.shape == (1, 4)
        assert chunk.actions[0] == pytest.approx([0.4, 0.4, 0.4, 0.5])


def test_an_error_with_status_200_is_an_error(server, space, observation, tmp_path):
    def fail(request):
        raise ValueError

    with serving(space, PROTOCOL, server, tmp_path) as remote:
        server.infer = fail
        assert "the server reports: error (its own log says why)" in problem_of(
            remote, observation()
        )
        server.status = 500
        assert "the server reports: 500" in problem_of(remote, observation())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"__numpy__": "AAAA", "dtype": "|O", "shape": [1]}, "dtype is '|O'"),
        ({"__numpy__": "AAAA", "dtype": "<f4", "shape": [9]}, "not the 36 bytes"),
        ({"__numpy__": "?", "dtype": "<f4", "shape": [1]}, "no base64"),
        ([["a"], ["b"]], "accepted: rows of at least 4 numbers"),
        ([[1, 2, 3, 4], [1]], "accepted: rows of at least 4 numbers"),
        ({}, "accepted: rows of at least 4 numbers"),
    ],
)
def test_answers_that_are_none(server, space, observation, tmp_path, answer, words):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        server.infer = lambda request: json.dumps(json.dumps(answer)).encode()
        assert words in problem_of(remote, observation())


def test_a_server_without_the_endpoint_is_refused(server, action_space_file, tmp_path):
    server.path = "/predict"
    words = "the server has /predict, and /act is asked"
    assert words in refusal(action_space_file, PROTOCOL, server, tmp_path)


def test_a_mapping_of_other_names_is_refused(server, action_space_file, tmp_path):
    words = "the answer is read as actions, the mapping's key is action"
    assert words in refusal(action_space_file, PROTOCOL, server, tmp_path, key="action")
    assert RemoteMapping.load(mapping_file(tmp_path, PROTOCOL)).prompt_key == ("instruction",)
    assert not server.requests


def test_an_answer_that_comes_in_drops_ends_with_the_time(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path) as remote:
        server.drops = threading.Event()
        start = time.monotonic()
        assert "no answer within 0.5 s" in problem_of(remote, observation())
        assert time.monotonic() - start < 2.0
        server.drops.set()


def test_the_first_answer_may_take_longer_than_a_connection(server, space, observation, tmp_path):
    with serving(space, PROTOCOL, server, tmp_path, connect_timeout=0.3) as remote:
        server.hang = threading.Event()
        threading.Timer(0.8, server.hang.set).start()
        request = {"instruction": "open"}
        assert remote.link.ask(request, 5.0)["actions"].shape == (16, 4)
