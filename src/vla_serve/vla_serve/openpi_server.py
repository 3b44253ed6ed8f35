"""openpi's protocol for several clients: a greeting with metadata, then an answer to each request.

As openpi's `WebsocketPolicyServer`, with these differences: a request that cannot be answered costs
one line of text and not the connection; messages have a largest size and clients a greatest number;
a key may be asked for; nothing received is looked up by name or made an object of.
"""

from __future__ import annotations

import contextlib
import hmac
import http
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response as HttpResponse

from vla_policy.remote import openpi_wire
from vla_serve.served_policy import Reply, Request, RequestError, first_line

HEALTH = "/healthz"
_CLOSE_TIMEOUT = 2.0  # s
_log = logging.getLogger(__name__)

Submit = Callable[[Request], Awaitable["Reply | RequestError"]]


@dataclass(frozen=True)
class ServerOptions:
    """Where and for whom.

    port 0: any that is free. api_key: clients send it as `Authorization: Api-Key KEY`; empty: none
    is asked for. max_clients: further ones are refused with status 503. max_bytes: of a request.
    certificate, private_key: PEM files for wss://; empty: ws://.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    api_key: str = ""
    max_clients: int = 64
    max_bytes: int = openpi_wire.MAX_BYTES
    certificate: str = ""
    private_key: str = ""


class OpenpiServer:
    """Answers the clients' requests by `submit`, each client's one after another.

    The next request of a client is read when the one before is answered, so one that sends faster
    than it is answered is held back by its own connection.
    """

    def __init__(self, options: ServerOptions, metadata: Mapping[str, Any], submit: Submit) -> None:
        self._options = options
        self._greeting = openpi_wire.pack(dict(metadata))
        self._submit = submit
        self._server: Server | None = None
        self.clients = 0

    @property
    def url(self) -> str:
        """Where it listens, while it does."""
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"{'wss' if self._options.certificate else 'ws'}://{self._options.host}:{port}"

    @contextlib.asynccontextmanager
    async def listening(self):  # type: ignore[no-untyped-def]
        """Serve for as long as the context lasts; raises OSError where it cannot listen."""
        options = self._options
        async with serve(
            self._converse,
            options.host,
            options.port,
            process_request=self._process,
            compression=None,
            max_size=options.max_bytes,
            max_queue=1,
            close_timeout=_CLOSE_TIMEOUT,
            ssl=tls_context(options),
        ) as self._server:
            yield self

    def _process(self, connection: ServerConnection, request: HttpRequest) -> HttpResponse | None:
        """What is asked before the websocket: health, the key, and whether there is room."""
        if request.path == HEALTH:
            return connection.respond(http.HTTPStatus.OK, "OK\n")
        if refusal := refused_key(self._options, connection, request):
            return refusal
        if self.clients >= self._options.max_clients:
            return connection.respond(
                http.HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self.clients} clients are connected; accepted: {self._options.max_clients}\n",
            )
        return None

    async def _converse(self, connection: ServerConnection) -> None:
        self.clients += 1
        try:
            await connection.send(self._greeting)
            async for message in connection:
                if not await self._answer(connection, message):
                    return
        except ConnectionClosed:
            pass  # the client has gone, or sent more than a message may have
        finally:
            self.clients -= 1

    async def _answer(self, connection: ServerConnection, message: str | bytes) -> bool:
        """Answer a message; False where the connection is closed over it."""
        start = time.monotonic()
        try:
            reply = await self._submit(_request(message))
            if isinstance(reply, RequestError):
                raise reply
            timing = {**reply.get("server_timing", {}), "infer_ms": _milliseconds(start)}
            await connection.send(openpi_wire.pack({**reply, "server_timing": timing}))
        except (RequestError, openpi_wire.WireError) as error:
            await connection.send(first_line(error))
        except ConnectionClosed:
            raise
        except Exception as error:  # a defect, or what a runtime raises: told as openpi's does
            _log.exception("a request could not be answered")
            await connection.send(f"the policy failed: {type(error).__name__}: {first_line(error)}")
            await connection.close(CloseCode.INTERNAL_ERROR, "the policy failed")
            return False
        return True


def _request(message: str | bytes) -> Request:
    if isinstance(message, str):
        raise RequestError("the request is text; accepted: msgpack, in a binary message")
    try:
        request = openpi_wire.unpack(message)
    except openpi_wire.WireError as error:
        raise RequestError(f"the request is refused: {error}") from error
    if not isinstance(request, dict):
        raise RequestError(f"the request is {type(request).__name__}; accepted: a map")
    return request


def _milliseconds(start: float) -> float:
    return (time.monotonic() - start) * 1e3


def refused_key(
    options: ServerOptions, connection: ServerConnection, request: HttpRequest
) -> HttpResponse | None:
    """Status 401 where a key is asked for and another, or none, was sent."""
    given = "\n".join(request.headers.get_all("Authorization"))
    wanted = f"Api-Key {options.api_key}"
    if not options.api_key or hmac.compare_digest(given.encode(errors="replace"), wanted.encode()):
        return None
    return connection.respond(
        http.HTTPStatus.UNAUTHORIZED,
        "accepted: the header Authorization: Api-Key and this server's key\n",
    )


def tls_context(options: ServerOptions) -> ssl.SSLContext | None:
    """For wss://; None for ws://; raises OSError where the files cannot be read."""
    if not options.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.certificate, options.private_key or None)
    except OSError as error:
        files = " and ".join(filter(None, (options.certificate, options.private_key)))
        raise OSError(f"{files}: {error.strerror or error}; accepted: PEM") from error
    return context
