"""The connection to a policy server: made, watched and made again by a thread of its own.

Nothing here blocks the executor: `ask` is called by the inference thread and ends within its
time-out; connecting, pings and closing are the link's own thread's.
"""

from __future__ import annotations

import enum
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from vla_policy.remote import openpi_wire

_CLOSE_TIMEOUT = 0.5  # s
_PING_PERIOD = 0.5  # s
_FIRST_PAUSE = 0.2  # s, before the second attempt to connect


class LinkState(enum.Enum):
    """Of the connection."""

    CONNECTING = "connecting"  # for the first time
    CONNECTED = "connected"
    GONE = "gone"


class LinkError(Exception):
    """The remote end is gone, or does not answer in time; one line."""


class ServerError(Exception):
    """The server lives, and says that it cannot answer, or what it says cannot be read."""


@dataclass(frozen=True)
class LinkStatus:
    """state, since when (s, steady), why where it is not connected, and how often it was lost."""

    state: LinkState
    since: float
    cause: str = ""
    losses: int = 0


@dataclass(frozen=True)
class LinkOptions:
    """url: ws://host:port. Times in s: to connect, to answer, the longest pause between attempts.

    api_key: sent as openpi's client does; empty: none.
    """

    url: str
    connect_timeout: float = 2.0
    inference_timeout: float = 0.3
    longest_pause: float = 5.0
    api_key: str = ""


class Link:
    """One server. `ask` is for one thread at a time."""

    def __init__(self, options: LinkOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._changed = threading.Condition()
        self._connection: ClientConnection | None = None
        self._status = LinkStatus(LinkState.CONNECTING, clock(), "not connected yet")
        self._pause = _FIRST_PAUSE
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="remote link", daemon=True)

    @property
    def status(self) -> LinkStatus:
        """How it is now."""
        return self._status

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and the connection."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(self._options.connect_timeout + _CLOSE_TIMEOUT)

    def wait_connected(self, timeout: float) -> bool:
        """Wait for the connection, s; for the node's configuration."""
        with self._changed:
            return self._changed.wait_for(lambda: self._connection is not None, timeout)

    def ask(self, message: dict[str, Any], timeout: float | None = None) -> Any:
        """The server's answer.

        Args:
            timeout: s; by default inference_timeout.

        Raises:
            LinkError: there is no connection, or it is lost now. ServerError: see there.
        """
        connection = self._connection
        if connection is None:
            raise LinkError(self._status.cause)
        data = openpi_wire.pack(message)
        limit = timeout or self._options.inference_timeout
        try:
            connection.send(data)
            reply = connection.recv(timeout=limit)
        except TimeoutError as error:
            # An answer that comes later would be taken for that to the next question.
            raise self._lost(connection, f"no answer within {limit:g} s") from error
        except (OSError, WebSocketException) as error:
            raise self._lost(connection, _line(error)) from error
        if isinstance(reply, str):
            last = reply.strip().splitlines()[-1:] or ["no reason given"]
            raise ServerError(f"the server reports: {last[0][:200]}")
        try:
            answer = openpi_wire.unpack(reply)
        except openpi_wire.WireError as error:
            raise ServerError(f"the server's answer is refused: {error}") from error
        self._pause = _FIRST_PAUSE
        return answer

    def _lost(self, connection: ClientConnection, cause: str) -> LinkError:
        with self._changed:
            if self._connection is connection:
                self._connection = None
                losses = self._status.losses + 1
                self._status = LinkStatus(LinkState.GONE, self._clock(), cause, losses)
                self._changed.notify_all()
        return LinkError(cause)

    # The link's thread.

    def _run(self) -> None:
        while not self._closing:
            try:
                connection = self._connect()
            except (OSError, WebSocketException, openpi_wire.WireError, ValueError) as error:
                self._failed(_line(error))
                continue
            with self._changed:
                self._connection = connection
                losses = self._status.losses
                self._status = LinkStatus(LinkState.CONNECTED, self._clock(), "", losses)
                self._changed.notify_all()
            self._watch(connection)
            connection.close()

    def _connect(self) -> ClientConnection:
        options = self._options
        headers = {"Authorization": f"Api-Key {options.api_key}"} if options.api_key else None
        connection = connect(
            options.url,
            compression=None,
            max_size=openpi_wire.MAX_BYTES,
            open_timeout=options.connect_timeout,
            close_timeout=_CLOSE_TIMEOUT,
            additional_headers=headers,
            ping_interval=None,  # a ping of ours is answered or the link is lost
            proxy=None,
        )
        try:
            # A server that stands still takes what it is sent until its buffers are full.
            limit = struct.pack("ll", int(options.connect_timeout) + 1, 0)
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            hello = connection.recv(timeout=options.connect_timeout)
            if isinstance(hello, str):
                raise openpi_wire.WireError("the server greets with text; accepted: its metadata")
            openpi_wire.unpack(hello)
        except BaseException:
            connection.close()
            raise
        return connection

    def _failed(self, cause: str) -> None:
        with self._changed:
            before = self._status
            if before.cause != cause:
                self._status = LinkStatus(before.state, before.since, cause, before.losses)
            self._changed.wait_for(lambda: self._closing, self._pause)
        self._pause = min(2 * self._pause, self._options.longest_pause)

    def _watch(self, connection: ClientConnection) -> None:
        """Ping until the connection is lost or the link closed."""
        while True:
            with self._changed:
                over = self._changed.wait_for(
                    lambda: self._closing or self._connection is not connection, _PING_PERIOD
                )
            if over:
                with self._changed:
                    self._connection = None
                return
            # A server that infers in its event loop answers pings after that.
            longest = max(self._options.inference_timeout, self._options.connect_timeout)
            try:
                answered = connection.ping().wait(longest)
            except (OSError, WebSocketException) as error:
                self._lost(connection, _line(error))
                continue
            if not answered:
                self._lost(connection, f"no answer to a ping within {longest:g} s")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
