"""A websocket of binary messages, for the protocols that run on one."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from vla_policy.remote.connection import MAX_BYTES, LinkOptions, ServerError, one_line

_CLOSE_TIMEOUT = 0.5  # s


class Websocket:
    """Sends and receives whole messages; a connection that is lost is a ConnectionError."""

    def __init__(self, options: LinkOptions, headers: dict[str, str] | None = None) -> None:
        with _lost_as_os_error():
            self._socket = connect(
                options.url,
                compression=None,
                max_size=MAX_BYTES,
                open_timeout=options.connect_timeout,
                close_timeout=_CLOSE_TIMEOUT,
                additional_headers=headers,
                ping_interval=None,  # a ping of ours is answered or the link is lost
                proxy=None,
            )
        # A server that stands still takes what it is sent until its buffers are full.
        limit = struct.pack("ll", int(options.connect_timeout) + 1, 0)
        self._socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def send(self, data: bytes) -> None:
        """Send a message."""
        with _lost_as_os_error():
            self._socket.send(data)

    def receive(self, deadline: float) -> bytes:
        """The next message, until `deadline` (time.monotonic, s); text is a server's error."""
        left = deadline - time.monotonic()
        if left <= 0.0:  # also where messages that nobody asked for never end
            raise TimeoutError("no answer in time")
        with _lost_as_os_error():
            data = self._socket.recv(timeout=left)
        if isinstance(data, str):
            last = data.strip().splitlines()[-1:] or ["no reason given"]
            raise ServerError(f"the server reports: {last[0][:200]}")
        return data

    def probe(self, timeout: float) -> None:
        """Ping."""
        with _lost_as_os_error():
            if not self._socket.ping().wait(timeout):
                raise TimeoutError(f"no answer to a ping within {timeout:g} s")

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


@contextlib.contextmanager
def _lost_as_os_error() -> Iterator[None]:
    try:
        yield
    except WebSocketException as error:
        raise ConnectionError(one_line(error)) from error
