"""The protocol, as this project's client and openpi's own speak it, and what clients do wrong."""

import concurrent.futures
import http.client
import math
import ssl
import subprocess
from urllib.parse import urlsplit

import numpy as np
import pytest
import yaml
from served import serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from vla_contract.action_space import ActionSpace
from vla_policy.backends import BackendOptions
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.inference.inference import Observation
from vla_policy.remote import openpi_wire
from vla_policy.remote.remote_mapping import RemoteMapping
from vla_policy.remote.remote_policy import RemotePolicy
from vla_policy.remote.server_link import Link, LinkOptions
from vla_proof.test_support.tiny_checkpoints import CAMERAS, STATE_NAMES
from vla_serve.checkpoint_policy import CheckpointPolicy


@pytest.fixture(scope="module")
def policy(checkpoint_folder):
    return CheckpointPolicy.load(checkpoint_folder, "onnxruntime", BackendOptions(threads=1), 1)


@pytest.fixture(scope="module")
def server(policy):
    with serving(policy, window=0.002) as made:
        yield made


def client(server, **options):
    return connect(server.url, compression=None, max_size=None, proxy=None, **options)


def ask(connection, request):
    connection.send(openpi_wire.pack(request))
    reply = connection.recv(timeout=30.0)
    return reply if isinstance(reply, str) else openpi_wire.unpack(reply)


def test_it_greets_and_answers(policy, server, request_of):
    with client(server) as connection:
        assert openpi_wire.unpack(connection.recv(timeout=10.0)) == policy.metadata
        reply = ask(connection, request_of())
    (expected,) = policy.answer([request_of()])
    np.testing.assert_array_equal(reply["actions"], expected["actions"])
    assert reply["server_timing"]["infer_ms"] > 0.0


def test_openpis_own_client(policy, server, request_of):
    client_policy = pytest.importorskip("openpi_client.websocket_client_policy")
    theirs = client_policy.WebsocketClientPolicy(server.url)
    assert theirs.get_server_metadata()["policy"] == "tiny"
    (expected,) = policy.answer([request_of(3)])
    np.testing.assert_array_equal(theirs.infer(request_of(3))["actions"], expected["actions"])
    with pytest.raises(RuntimeError, match="lacks prompt; accepted"):
        theirs.infer(request_of(prompt=None))
    assert theirs.infer(request_of())["actions"].shape == (32, 4)  # on the same connection
    theirs._ws.close()


def test_the_policy_nodes_client(policy, server, action_space_file, tmp_path):
    file = tmp_path / "mapping.yaml"
    images = [{"camera": c, "key": f"observation.images.{c}"} for c in CAMERAS]
    file.write_text(
        yaml.safe_dump(
            {
                "images": [{**image, "mask": f"observation.valid.{image['camera']}"}
                           for image in images],
                "state": {"key": "observation.state", "names": list(STATE_NAMES)},
                "prompt": "prompt",
                "actions": {"key": "actions", "columns": [0, 1, 2, 3], "units": "si",
                            "period": 0, "confidence": "confidence"},
            }
        )
    )  # fmt: skip
    link = Link(LinkOptions(server.url, inference_timeout=5.0))
    space = ActionSpace.load(action_space_file)
    remote = RemotePolicy(Checkpoint.without_weights(space), RemoteMapping.load(file), link)
    grey = np.full((40, 60, 3), 90, np.uint8)
    state = dict.fromkeys(STATE_NAMES, 0.1)
    try:
        remote.warm_up(10.0, 10.0)
        assert link.wait_connected(10.0)
        seen = Observation(0, 1, CAMERAS, (grey, None), state, 1, "open the drawer")
        answer = remote.answer(seen)
        refused = remote.answer(Observation(0, 2, CAMERAS, (grey, grey), state, 2, "sing a song"))
        again = remote.answer(seen)
    finally:
        remote.close()
    local = policy._policy.answer(seen)
    np.testing.assert_allclose(answer.chunk.actions, local.chunk.actions, atol=1e-6)
    assert answer.problem is None and math.isclose(answer.chunk.confidence, 0.75)
    assert "known of 3 words" in refused.problem.text and again.problem is None


def test_each_of_many_clients_gets_its_own_answer(policy, server, request_of):
    def drive(seed):
        with client(server) as connection:
            connection.recv(timeout=10.0)
            return [ask(connection, request_of(10 * seed + i))["actions"] for i in range(8)]

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        got = list(pool.map(drive, range(6)))
    for seed, rows in enumerate(got):
        for i, actions in enumerate(rows):
            (expected,) = policy.answer([request_of(10 * seed + i)])
            np.testing.assert_allclose(actions, expected["actions"], atol=1e-6)


BAD = {
    "text": ("hello", "the request is text; accepted: msgpack"),
    "garbage": (b"\xc1", "the request is refused: it is not msgpack"),
    "empty": (b"", "the request is refused"),
    "list": (openpi_wire.pack([1, 2]), "the request is list; accepted: a map"),
    "pickle": (b"\x80\x04cos\nsystem\n.", "the request is refused"),
    "object": (
        b"\x81\xa1x\x84\xc4\x0b__ndarray__\xc3\xc4\x04data\xc4\x08" + bytes(8)
        + b"\xc4\x05dtype\xa2|O\xc4\x05shape\x91\x01",
        "the request is refused: dtype is '|O'; accepted: numbers",
    ),
    "deep": (b"\x91" * 5000 + b"\x01", "the request is refused"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_costs_a_line_and_not_the_connection(server, request_of, case):
    message, text = BAD[case]
    with client(server) as connection:
        connection.recv(timeout=10.0)
        connection.send(message)
        told = connection.recv(timeout=10.0)
        assert isinstance(told, str) and told.startswith(text) and "\n" not in told
        assert ask(connection, request_of())["actions"].shape == (32, 4)


def test_a_request_that_is_too_long_ends_its_connection_alone(policy, request_of):
    with serving(policy, max_bytes=100_000) as server, client(server) as other:
        other.recv(timeout=10.0)
        with client(server) as connection:
            connection.recv(timeout=10.0)
            connection.send(bytes(100_001))
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=10.0)
            assert closed.value.rcvd.code == 1009
        assert ask(other, request_of())["actions"].shape == (32, 4)


def test_a_defect_is_told_and_ends_its_connection_alone(policy, request_of, caplog):
    class Breaking:
        metadata = policy.metadata

        def answer(self, requests):
            if any(len(request) == 1 for request in requests):
                raise KeyError("a defect")
            return policy.answer(requests)

    with serving(Breaking()) as server, client(server) as other:
        other.recv(timeout=10.0)
        with client(server) as connection:
            connection.recv(timeout=10.0)
            assert ask(connection, {"x": 1}) == "the policy failed: KeyError: 'a defect'"
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=10.0)
            assert closed.value.rcvd.code == 1011
        assert ask(other, request_of())["actions"].shape == (32, 4)


def test_who_sends_faster_than_it_is_answered_is_held_back(policy, request_of):
    """At no moment does a client have more than one request in the batcher."""
    most = []

    class Noting:
        metadata = policy.metadata

        def answer(self, requests):
            most.append(len(requests))
            return policy.answer(requests)

    with serving(Noting(), window=0.001) as server, client(server) as connection:
        connection.recv(timeout=10.0)
        for seed in range(20):
            connection.send(openpi_wire.pack(request_of(seed)))
        replies = [openpi_wire.unpack(connection.recv(timeout=30.0)) for _ in range(20)]
    assert most == [1] * 20
    for seed, reply in enumerate(replies):
        (expected,) = policy.answer([request_of(seed)])
        np.testing.assert_allclose(reply["actions"], expected["actions"], atol=1e-6)


def get(server, path):
    url = urlsplit(server.url)
    asked = http.client.HTTPConnection(url.hostname, url.port, timeout=10.0)
    asked.request("GET", path)
    answer = asked.getresponse()
    return answer.status, answer.read()


def test_its_health(server):
    assert get(server, "/healthz") == (200, b"OK\n")


def test_a_key_is_asked_for(policy):
    with serving(policy, api_key="secret") as server:
        assert get(server, "/healthz")[0] == 200
        for headers in ({}, {"Authorization": "Api-Key wrong"}, {"Authorization": "Bearer é"}):
            with pytest.raises(InvalidStatus) as refused:
                client(server, additional_headers=headers).close()
            assert refused.value.response.status_code == 401
        twice = [("Authorization", "Api-Key secret"), ("Authorization", "Api-Key other")]
        with pytest.raises(InvalidStatus) as refused:
            client(server, additional_headers=twice).close()
        assert refused.value.response.status_code == 401
        with client(server, additional_headers={"Authorization": "Api-Key secret"}) as connection:
            assert connection.recv(timeout=10.0)


def test_a_client_too_many_is_refused_until_another_has_gone(policy):
    with serving(policy, max_clients=1) as server:
        with client(server) as first:
            first.recv(timeout=10.0)
            with pytest.raises(InvalidStatus) as refused:
                client(server).close()
            assert refused.value.response.status_code == 503
        for _ in range(100):
            try:
                with client(server) as second:
                    assert second.recv(timeout=10.0)
                    break
            except InvalidStatus:
                continue
        else:
            pytest.fail("the place of the client that has gone stays taken")


def test_it_serves_tls(policy, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
         "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    options = {"certificate": str(certificate), "private_key": str(key)}
    with serving(policy, **options) as server:
        assert server.url.startswith("wss://")
        context = ssl.create_default_context(cafile=str(certificate))
        with client(server, ssl=context) as connection:
            assert openpi_wire.unpack(connection.recv(timeout=10.0))["policy"] == "tiny"
