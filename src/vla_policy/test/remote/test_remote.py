"""A policy server: what it answers, how it is lost, and who drives meanwhile."""

import contextlib
import math
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgpack
import numpy as np
import pytest

from vla_contract.node_testing import wait_until
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.checkpoint.policy_loading import load_policy
from vla_policy.inference.inference import ProblemKind
from vla_policy.policy_config import PolicyConfig
from vla_policy.remote.remote_mapping import RemoteMapping
from vla_policy.remote.remote_policy import RemotePolicy
from vla_policy.remote.server_link import Link, LinkOptions
from vla_proof.test_support.small_server import Server

MAPPING = Path(__file__).parents[4] / "config" / "remote" / "metaworld.yaml"
FAST = {"connect_timeout": 1.0, "inference_timeout": 0.5, "longest_pause": 0.2}


@contextlib.contextmanager
def serving(space, server, **options):
    link = Link(LinkOptions(server.url, **{**FAST, **options}))
    remote = RemotePolicy(Checkpoint.without_weights(space), RemoteMapping.load(MAPPING), link)
    try:
        assert not math.isnan(remote.warm_up(10.0, 10.0)[0])
        yield remote
    finally:
        remote.close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.stop()


def test_an_observation_becomes_a_chunk(server, space, observation):
    with serving(space, server) as remote:
        answer = remote.answer(observation())
        assert answer.problem is None
        assert answer.chunk.actions.shape == (16, 4)
        assert answer.chunk.actions[0] == pytest.approx([0.4, 0.4, 0.4, 0.5])
        assert 0.0 < answer.chunk.inference_time < 5.0 and not answer.chunk.done
        request = server.requests[-1]
        assert request["prompt"] == "open the drawer"
        assert request["observation/image"].shape == (224, 224, 3)
        assert request["observation/state"].shape == (4,)
        nothing = remote.answer(observation(command=None))
        assert nothing.problem is None and not nothing.chunk.actions.size


OPENPI = """
import sys

import numpy as np
from openpi_client.base_policy import BasePolicy
from openpi_server.websocket_policy_server import WebsocketPolicyServer


class NoOp(BasePolicy):
    def infer(self, obs):
        if obs["prompt"] == "fail":
            raise RuntimeError("no such prompt")
        return {"actions": np.zeros((16, obs["observation/state"].shape[0]), np.float64)}


WebsocketPolicyServer(NoOp(), "127.0.0.1", int(sys.argv[1]), {"model": "no-op"}).serve_forever()
"""


def test_openpi_s_own_server_drives_and_its_failures_are_told(space, observation):
    pytest.importorskip("openpi_server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", OPENPI, str(port)])
    try:
        link = Link(LinkOptions(f"ws://127.0.0.1:{port}", **FAST))
        mapping = RemoteMapping.load(MAPPING)
        remote = RemotePolicy(Checkpoint.without_weights(space), mapping, link)
        try:
            assert not math.isnan(remote.warm_up(30.0, 30.0)[0])
            chunk = remote.answer(observation()).chunk
            assert chunk.actions.shape == (16, 4) and not chunk.actions.any()
            problem = remote.answer(observation(command="fail")).problem
            assert problem is not None and "no such prompt" in problem.text
            # It closes the connection with its error; the next question finds it again.
            wait_until(lambda: remote.answer(observation()).chunk.actions.size, 10.0)
        finally:
            remote.close()
    finally:
        process.kill()
        process.wait()


def test_bad_answers_are_action_problems_and_the_next_one_is_tried(server, space, observation):
    pointer = msgpack.packb(
        {"actions": {b"__ndarray__": True, b"data": b"\1" * 8, b"dtype": "|O", b"shape": [1]}}
    )
    with serving(space, server) as remote:
        good = server.infer
        for bad, words in (
            ({"actions": np.full((16, 4), np.nan)}, "not finite"),
            ({"other": 1}, "the answer has other"),
            (pointer, "dtype is '|O'"),
            (b"\xc1", "not msgpack"),
        ):
            server.infer = lambda request, bad=bad: bad
            problem = remote.answer(observation()).problem
            assert problem.kind is ProblemKind.ACTION and problem.fatal
            assert words in problem.text
            server.infer = good
            assert remote.answer(observation()).problem is None
        server.infer = lambda request: "Traceback\n  line\nValueError: no such task\n"
        problem = remote.answer(observation()).problem
        assert "the server reports: ValueError: no such task" in problem.text
        server.infer = good
        wait_until(lambda: remote.answer(observation()).problem is None, 60.0)


def test_a_server_that_is_killed_is_told_at_once_and_found_again(server, space, observation):
    with serving(space, server) as remote:
        assert remote.answer(observation()).problem is None
        server.stop()
        start = time.monotonic()
        wait_until(lambda: remote.answer(observation()).problem is not None, 5.0)
        problem = remote.answer(observation()).problem
        assert problem.kind is ProblemKind.REMOTE and "remote end gone" in problem.text
        assert time.monotonic() - start < 4.0
        idle = remote.answer(observation(command=None)).problem
        assert idle is not None and idle.kind is ProblemKind.REMOTE
        again = Server(server.port)
        try:
            wait_until(lambda: remote.answer(observation()).problem is None, 60.0)
            assert remote.values()["remote"] == "connected"
            assert int(remote.values()["remote_losses"]) >= 1
        finally:
            again.stop()


def test_a_server_that_hangs_costs_one_time_out_and_its_late_answer_is_never_used(
    server, space, observation
):
    with serving(space, server, connect_timeout=5.0) as remote:
        server.hang = threading.Event()
        server.infer = lambda request: {"actions": np.full((16, 4), -0.5, np.float32)}
        start = time.monotonic()
        problem = remote.answer(observation()).problem
        assert "no answer within 0.5 s" in problem.text
        assert 0.5 <= time.monotonic() - start < 3.0
        hanging, server.hang = server.hang, None
        server.infer = lambda request: {"actions": np.full((16, 4), 0.5, np.float32)}
        hanging.set()
        wait_until(lambda: remote.answer(observation()).problem is None, 60.0)
        assert remote.answer(observation()).chunk.actions[0, 0] == pytest.approx(0.4)


def test_without_a_server_it_configures_and_tells(space, observation):
    remote = RemotePolicy(
        Checkpoint.without_weights(space),
        RemoteMapping.load(MAPPING),
        Link(LinkOptions("ws://127.0.0.1:1", **FAST)),
    )
    assert math.isnan(remote.warm_up(0.3, 1.0)[0])
    problem = remote.answer(observation()).problem
    assert problem.kind is ProblemKind.REMOTE
    remote.close()


def test_what_the_remote_end_leaves_unanswered_is_answered_by_the_checkpoint(
    server, space, observation, checkpoint_folder
):
    config = PolicyConfig(
        backend="remote",
        remote_url=server.url,
        remote_mapping=str(MAPPING),
        remote_longest_pause=0.2,
        fallback_checkpoint=str(checkpoint_folder),
        recovery_time=0.3,
        remote_inference_timeout=1.0,
        warm_up=1,
    )
    both, times = load_policy(config)
    try:
        assert not math.isnan(times[0])
        assert both.answer(observation()).chunk.actions.shape == (16, 4)
        server.stop()
        # Not one observation stays unanswered.
        for _ in range(20):
            answer = both.answer(observation())
            assert answer.chunk.actions.size and (
                answer.problem is None or not answer.problem.fatal
            )
        assert answer.chunk.actions.shape == (32, 4)
        driver = Checkpoint.load(checkpoint_folder).identity
        assert both.values()["driver"] == driver
        again = Server(server.port)
        wait_until(lambda: both.answer(observation()).problem is None, 60.0)
        assert both.values()["driver"] == "remote"
        again.stop()
    finally:
        both.close()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "parameter remote_mapping is none; accepted: a file as in config/remote"),
        ({"remote_mapping": "/nowhere.yaml"}, "/nowhere.yaml: No such file"),
        ({"remote_mapping": str(MAPPING), "action_space": ""}, "action_space is empty"),
        ({"remote_mapping": str(MAPPING), "fallback_checkpoint": "/nowhere"}, "no such folder"),
    ],
)
def test_what_cannot_be_configured_is_named(action_space_file, values, words):
    values = {"action_space": str(action_space_file), **values}
    with pytest.raises(ValueError, match=words):
        load_policy(PolicyConfig(backend="remote", **values))


def test_a_url_that_is_none_is_refused():
    with pytest.raises(ValueError, match="accepted: ws://"):
        PolicyConfig(backend="remote", remote_url="http://x")
