"""For tests: a small policy server of openpi's protocol, which can also be bad."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from vla_policy.remote.openpi_wire import pack, unpack

_END = 5.0  # s
_LONGEST_HANG = 10.0  # s


def _health(connection: ServerConnection, request: Request) -> Response | None:
    """What openpi's server answers to who asks for its health instead of a websocket."""
    return connection.respond(HTTPStatus.OK, "OK\n") if request.path == "/healthz" else None


class Server:
    """Serves in threads of this process; port 0: one that is free.

    infer: request → answer, or the array of its actions; bytes are sent as they are, text as the
    report of an error, and what it raises too.
    hang: an event that answers wait for. requests: what was asked.
    """

    def __init__(self, port: int = 0) -> None:
        self.infer: Callable[[Any], Any] = lambda request: {
            "actions": np.full((16, 4), 0.5, np.float32)
        }
        self.requests: list[Any] = []
        self.hang: threading.Event | None = None
        self._connections: set[ServerConnection] = set()
        self._server = serve(
            self._handle,
            "127.0.0.1",
            port,
            process_request=_health,
            compression=None,
            max_size=None,
        )
        self.port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Go as a process that is killed: the port is closed, connections are cut."""
        self._server.shutdown()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # it may have gone by itself
                connection.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(_END)

    def _handle(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        try:
            connection.send(pack({"name": "test"}))
            while True:
                self.requests.append(unpack(bytes(connection.recv())))  # type: ignore[arg-type]
                if self.hang is not None:
                    self.hang.wait(_LONGEST_HANG)
                try:
                    answer = self.infer(self.requests[-1])
                except ValueError as error:
                    answer = f"Traceback:\n  a line\nValueError: {' '.join(str(error).split())}\n"
                if isinstance(answer, np.ndarray):
                    answer = {"actions": answer}
                connection.send(answer if isinstance(answer, (bytes, str)) else pack(answer))
                if isinstance(answer, str):
                    return
        except (ConnectionClosed, OSError):
            pass
        finally:
            self._connections.discard(connection)
