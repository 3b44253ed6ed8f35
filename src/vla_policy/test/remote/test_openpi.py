"""What openpi's protocol has of its own: its health and its key are asked for first."""

import http
import threading

import pytest
from protocol_rig import FAST
from websockets.sync.server import serve

from vla_policy.remote import openpi_wire
from vla_policy.remote.server_link import Link, LinkOptions


@pytest.fixture
def server():
    """Its (connection, request) → response, and what it was asked for: path and key."""

    class Healthy:
        status = http.HTTPStatus.OK
        asked: list[tuple[str, str | None]] = []

    def process(connection, request):
        Healthy.asked.append((request.path, request.headers.get("Authorization")))
        if request.path == "/healthz":
            return connection.respond(Healthy.status, "OK\n")
        return None

    def greet(connection):
        connection.send(openpi_wire.pack({}))
        connection.recv()

    made = serve(greet, "127.0.0.1", 0, process_request=process, compression=None)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    Healthy.url = f"ws://127.0.0.1:{made.socket.getsockname()[1]}"
    yield Healthy
    made.shutdown()
    thread.join(5.0)


def connected(url, timeout, **options):
    link = Link(LinkOptions(url, **FAST, **options))
    link.start()
    try:
        return link.wait_connected(timeout), link.status.cause
    finally:
        link.close()


def test_its_health_and_its_key(server):
    assert connected(server.url, 10.0, api_key="secret")[0]
    assert server.asked == [("/healthz", None), ("/", "Api-Key secret")]


def test_a_server_that_is_not_well_is_not_asked(server):
    server.status = http.HTTPStatus.SERVICE_UNAVAILABLE
    there, cause = connected(server.url, 1.0)
    assert not there and cause == "the server's /healthz answers 503; accepted: 200"
    assert "/" not in [path for path, _ in server.asked]
