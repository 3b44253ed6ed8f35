"""vla-eval's protocol for one benchmark: typed, numbered msgpack messages on a websocket.

As vla_eval.model_servers.serve (release 0.8.0, protocol version 1): a HELLO of each side, then
EPISODE_START, an ACTION for each OBSERVATION with its number, EPISODE_END. An observation that
cannot be answered gets an ERROR, and the connection goes on. GET /health tells that it is ready.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import io
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response as HttpResponse

from vla_policy.remote import openpi_wire
from vla_policy.remote.openpi_wire import WireError
from vla_serve.graph_session import GraphSession
from vla_serve.openpi_server import ServerOptions, refused_key, tls_context
from vla_serve.served_policy import RequestError, first_line

PROTOCOL_VERSION = 1
_HARNESS_VERSION = "0.8.0"
_LARGEST_SIDE = 8192  # px
_CLOSE_TIMEOUT = 2.0  # s


class VlaEvalServer:
    """Each connection has a session of its own; sessions are stepped one at a time."""

    def __init__(self, options: ServerOptions, session: Callable[[], GraphSession]) -> None:
        self._options = options
        self._session = session
        self._stepping = asyncio.Lock()
        self._server: Server | None = None
        self.clients = 0

    @property
    def url(self) -> str:
        """Where it listens, while it does."""
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"{'wss' if self._options.certificate else 'ws'}://{self._options.host}:{port}"

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[VlaEvalServer]:
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
            ping_interval=None,  # vla-eval's client may stand still in its simulator
            close_timeout=_CLOSE_TIMEOUT,
            ssl=tls_context(options),
        ) as self._server:
            yield self

    def _process(self, connection: ServerConnection, request: HttpRequest) -> HttpResponse | None:
        if request.path == "/health":
            return connection.respond(http.HTTPStatus.OK, '{"status": "ok"}\n')
        return refused_key(self._options, connection, request)

    async def _converse(self, connection: ServerConnection) -> None:
        session = self._session()
        self.clients += 1
        try:
            async for data in connection:
                reply = await self._reply(session, data)
                if reply is not None:
                    await connection.send(openpi_wire.pack_with(reply, _marked))
        except ConnectionClosed:
            pass  # the client has gone, or sent more than a message may have
        finally:
            self.clients -= 1

    async def _reply(self, session: GraphSession, data: str | bytes) -> dict[str, Any] | None:
        sequence = 0
        try:
            kind, payload, sequence = _message(data)
            if kind == "hello":
                theirs = payload.get("protocol_version")
                if theirs != PROTOCOL_VERSION:
                    raise RequestError(
                        f"protocol_version is {theirs!r:.20}; accepted: {PROTOCOL_VERSION}"
                    )
                return _made("hello", _hello(), sequence)
            if kind == "episode_start":
                session.restart()
                return None
            if kind == "observation":
                async with self._stepping:
                    action = await asyncio.to_thread(session.step, payload)
                return _made("action", action, sequence)
            return None  # episode_end and error ask for nothing
        except RequestError as error:
            return _made("error", {"error": first_line(error)}, sequence)


def _hello() -> dict[str, Any]:
    return {
        "harness_version": _HARNESS_VERSION,
        "protocol_version": PROTOCOL_VERSION,
        "model_server": "vla serve graph",
        "capabilities": {},
    }


def _made(kind: str, payload: dict[str, Any], sequence: int) -> dict[str, Any]:
    return {"type": kind, "payload": payload, "seq": sequence, "timestamp": time.time()}


def _message(data: str | bytes) -> tuple[str, dict[str, Any], int]:
    """Type, payload and number; raises RequestError."""
    if isinstance(data, str):
        raise RequestError("the message is text; accepted: msgpack, in a binary message")
    try:
        message = openpi_wire.unpack_with(data, _unmarked)
    except WireError as error:
        raise RequestError(f"the message is refused: {error}") from error
    kinds = ("hello", "observation", "episode_start", "episode_end", "error")
    if not isinstance(message, dict) or message.get("type") not in kinds:
        raise RequestError(f"the message has no type; accepted: {', '.join(kinds)}")
    payload, sequence = message.get("payload"), message.get("seq")
    if not isinstance(payload, dict) or type(sequence) is not int:
        raise RequestError("the message has no payload or seq; accepted: a map and a number")
    return message["type"], payload, sequence


def _marked(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            "__ndarray__": True,
            "data": value.tobytes(),
            "dtype": value.dtype.str,
            "shape": value.shape,
        }
    return value.item()


def _unmarked(value: dict[Any, Any]) -> Any:
    if "__image__" in value and value.get("format") != "raw":
        return _image(value)
    if "__image__" in value or "__ndarray__" in value:
        return openpi_wire.array_of(value.get("dtype"), value.get("shape"), value.get("data"))
    return value


def _image(value: dict[Any, Any]) -> npt.NDArray[np.uint8]:
    """A PNG or JPEG, whose size is looked at before it is decoded; raises WireError."""
    data = value.get("data")
    if not isinstance(data, bytes):
        raise WireError("an image has no data; accepted: PNG, JPEG or raw")
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        if max(image.size) > _LARGEST_SIDE:
            raise WireError(f"an image is {image.size[0]}x{image.size[1]}; accepted: up to "
                            f"{_LARGEST_SIDE} px")  # fmt: skip
        return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise WireError(f"an image cannot be read: {first_line(error, 80)}") from error
