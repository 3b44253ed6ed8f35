"""What holds of every protocol: chunks, bad answers, a server that hangs, dies and comes back."""

import shutil
import threading
import time

import numpy as np
import pytest
from protocol_rig import SERVERS, mapping_file, problem_of, serving
from tls_proxy import TlsProxy, certificate

from vla_contract.node_testing import wait_until
from vla_policy.checkpoint.policy_loading import load_policy
from vla_policy.inference.inference import ProblemKind
from vla_policy.policy_config import PolicyConfig
from vla_policy.remote.openpi_wire import MAX_BYTES


@pytest.fixture(params=SERVERS)
def protocol(request):
    return request.param


@pytest.fixture
def server(protocol):
    server = SERVERS[protocol][0]()
    yield server
    server.stop()


def test_an_observation_becomes_a_chunk(protocol, server, space, observation, tmp_path):
    with serving(space, protocol, server, tmp_path) as remote:
        answer = remote.answer(observation())
        assert answer.problem is None
        assert answer.chunk.actions.shape == (16, 4)
        assert answer.chunk.actions[0] == pytest.approx([0.4, 0.4, 0.4, 0.5])
        assert 0.0 < answer.chunk.inference_time < 5.0


def test_bad_answers_are_action_problems_that_name_the_key(
    protocol, server, space, observation, tmp_path
):
    with serving(space, protocol, server, tmp_path) as remote:
        good = server.infer
        for bad, words in (
            (np.full((16, 4), np.nan, np.float32), "is not finite"),
            (np.zeros((16, 3), np.float32), "accepted: rows of at least 4 numbers"),
            (np.zeros((0, 4), np.float32), "; accepted: "),
            (np.zeros((2, 2, 2, 4), np.float32), "; accepted: "),
            (b"\xc1", "is refused"),
        ):
            server.infer = lambda request, bad=bad: bad
            text = problem_of(remote, observation())
            assert text.startswith("action: ") and words in text
            assert isinstance(bad, bytes) or "action" in text[8:] or "gripper" in text
            server.infer = good
            wait_until(lambda: not problem_of(remote, observation()), 30.0)


def test_an_error_of_the_server_is_told_in_one_line(protocol, server, space, observation, tmp_path):
    def fail(request):
        raise ValueError("no such\ntask")

    with serving(space, protocol, server, tmp_path) as remote:
        good, server.infer = server.infer, fail
        text = problem_of(remote, observation())
        assert text.startswith("action: remote end: the server reports") and "\n" not in text
        assert "task" in text or protocol in ("openvla", "lerobot")  # which say no reason
        server.infer = good
        wait_until(lambda: not problem_of(remote, observation()), 30.0)


def test_an_answer_that_is_too_long_is_refused(protocol, server, space, observation, tmp_path):
    with serving(space, protocol, server, tmp_path, inference_timeout=5.0) as remote:
        good = server.infer
        server.infer = lambda request: bytes(MAX_BYTES + 1)
        text = problem_of(remote, observation())
        assert "accepted: up to" in text or text.startswith("remote: ")
        server.infer = good
        wait_until(lambda: not problem_of(remote, observation()), 30.0)


def test_a_server_that_hangs_costs_one_time_out_and_its_late_answer_is_never_used(
    protocol, server, space, observation, tmp_path
):
    with serving(space, protocol, server, tmp_path, connect_timeout=5.0) as remote:
        server.hang = threading.Event()
        server.infer = lambda request: np.full((16, 4), -0.5, np.float32)
        start = time.monotonic()
        assert "remote: remote end gone: no answer within 0.5 s" in problem_of(
            remote, observation()
        )
        assert 0.5 <= time.monotonic() - start < 3.0
        hanging, server.hang = server.hang, None
        server.infer = lambda request: np.full((16, 4), 0.5, np.float32)
        hanging.set()
        wait_until(lambda: not problem_of(remote, observation()), 60.0)
        assert remote.answer(observation()).chunk.actions[0, 0] == pytest.approx(0.4)


def test_a_server_that_dies_is_a_communication_fault_and_is_found_again(
    protocol, server, space, observation, tmp_path
):
    with serving(space, protocol, server, tmp_path) as remote:
        server.stop()
        wait_until(lambda: problem_of(remote, observation()), 5.0)
        assert remote.answer(observation()).problem.kind is ProblemKind.REMOTE
        # It is told while nothing is asked, too.
        wait_until(lambda: problem_of(remote, observation(command=None)), 10.0)
        again = type(server)(server.port)
        try:
            wait_until(lambda: not problem_of(remote, observation()), 60.0)
        finally:
            again.stop()


def test_no_thread_is_left_behind(protocol, server, space, observation, tmp_path):
    def ours():
        return {thread for thread in threading.enumerate() if not thread.name.startswith("server")}

    before = ours()
    with serving(space, protocol, server, tmp_path) as remote:
        remote.answer(observation())
        assert ours() - before
    wait_until(lambda: ours() <= before, 5.0)


def test_the_parameters_choose_it_and_the_checkpoint_drives_without_it(
    protocol, server, observation, checkpoint_folder, tmp_path
):
    config = PolicyConfig(
        backend="remote",
        remote_protocol=protocol,
        remote_url=server.url,
        remote_mapping=str(mapping_file(tmp_path, protocol)),
        remote_longest_pause=0.2,
        fallback_checkpoint=str(checkpoint_folder),
        remote_pickle=True,
        remote_inference_timeout=1.0,
        warm_up=1,
    )
    both, _ = load_policy(config)
    try:
        assert both.answer(observation()).chunk.actions.shape == (16, 4)
        server.stop()
        for _ in range(5):
            answer = both.answer(observation())
            assert answer.chunk.actions.size
        wait_until(lambda: both.answer(observation()).chunk.actions.shape == (32, 4), 10.0)
    finally:
        both.close()


TLS = {"openpi": "wss", "vla-eval": "wss", "lerobot": "grpcs", "openvla": "https"}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.parametrize("protocol", TLS)
def test_tls_is_trusted_by_its_certificate_alone(
    protocol, server, space, observation, tmp_path, monkeypatch
):
    files = certificate(tmp_path)
    proxy = TlsProxy(server.port, *files)
    server.url = f"{TLS[protocol]}://localhost:{proxy.port}"
    try:
        refused = pytest.raises(
            AssertionError, match="(?i)certificate.verify.failed|tls handshake failed"
        )
        with refused, serving(space, protocol, server, tmp_path, patience=2.0):
            pass
        assert not server.requests
        monkeypatch.setenv("SSL_CERT_FILE", files[0])
        with serving(space, protocol, server, tmp_path, inference_timeout=5.0) as remote:
            assert not problem_of(remote, observation())
    finally:
        proxy.stop()


def test_a_url_of_another_protocol_is_refused(protocol):
    with pytest.raises(ValueError, match="parameter remote_url is 'nothing'; accepted: .*://host"):
        PolicyConfig(
            backend="remote", remote_protocol=protocol, remote_url="nothing", remote_pickle=True
        )
