"""The connection to a policy server: made, watched and made again by a thread of its own.

Nothing here blocks the executor: `ask` is called by the inference thread and ends within its
time-out; connecting, pings and closing are the link's own thread's.
"""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vla_policy.remote import protocols
from vla_policy.remote.connection import (
    Connection,
    LinkOptions,
    ServerError,
    WireError,
    one_line,
)
from vla_policy.remote.remote_mapping import MappingError, RemoteMapping

__all__ = ["Link", "LinkError", "LinkOptions", "LinkState", "LinkStatus", "ServerError"]

_CLOSE_TIMEOUT = 0.5  # s
_PROBE_PERIOD = 0.5  # s
_FIRST_PAUSE = 0.2  # s, before the second attempt to connect


class LinkState(enum.Enum):
    """Of the connection."""

    CONNECTING = "connecting"  # for the first time
    CONNECTED = "connected"
    GONE = "gone"


class LinkError(Exception):
    """The remote end is gone, or does not answer in time; one line."""


@dataclass(frozen=True)
class LinkStatus:
    """state, since when (s, steady), why where it is not connected, and how often it was lost."""

    state: LinkState
    since: float
    cause: str = ""
    losses: int = 0


class Link:
    """One server. `ask` is for one thread at a time.

    mapping: what each handshake is compared with, set before `start`. mismatch: how the latest one
    differs; empty where it does not.
    """

    def __init__(self, options: LinkOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._make = protocols.connector(options.protocol)
        self._clock = clock
        self._changed = threading.Condition()
        self._connection: Connection | None = None
        self.mapping: RemoteMapping | None = None
        self.mismatch = ""
        self._asking = False
        self._comparing: Connection | None = None
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
        comparing = self._taken_from_comparison()
        if comparing is not None:  # what a server takes its time for
            comparing.close()
        if self._thread.is_alive():
            self._thread.join(2 * self._options.connect_timeout + _CLOSE_TIMEOUT)

    def wait_connected(self, timeout: float) -> bool:
        """Wait for the connection, s; for the node's configuration.

        A server that takes its time to compare (lerobot's loads its policy) has that time too.

        Raises:
            MappingError: the server is there, and is not the one that the mapping is for.
        """
        with self._changed:
            self._changed.wait_for(self._decided, timeout)
            if self._comparing is not None:
                self._changed.wait_for(self._decided, self._options.load_timeout)
            if self.mismatch:
                raise MappingError(self.mismatch)
            return self._connection is not None

    def _decided(self) -> bool:
        return self._connection is not None or bool(self.mismatch)

    def ask(
        self, message: dict[str, Any], timeout: float | None = None, *, new_command: bool = False
    ) -> Any:
        """The server's answer.

        Args:
            timeout: s; by default inference_timeout. new_command: the server is told so first.

        Raises:
            LinkError: there is no connection, or it is lost now. ServerError, WireError: see there.
        """
        connection = self._connection
        if connection is None:
            raise LinkError(self._status.cause)
        limit = timeout or self._options.inference_timeout
        self._asking = True
        try:
            if new_command:
                connection.reset(limit)
            answer = connection.infer(message, limit)
        except TimeoutError as error:
            # An answer that comes later would be taken for that to the next question.
            raise self._lost(connection, f"no answer within {limit:g} s") from error
        except OSError as error:
            raise self._lost(connection, one_line(error)) from error
        finally:
            self._asking = False
        self._pause = _FIRST_PAUSE
        return answer

    def _lost(self, connection: Connection, cause: str) -> LinkError:
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
            except (OSError, ServerError, WireError, MappingError, ValueError) as error:
                self._failed(one_line(error))
                continue
            with self._changed:
                self._connection = connection
                losses = self._status.losses
                self._status = LinkStatus(LinkState.CONNECTED, self._clock(), "", losses)
                self._changed.notify_all()
            self._watch(connection)
            connection.close()

    def _connect(self) -> Connection:
        connection = self._make(self._options)
        with self._changed:
            self._comparing = connection
        try:
            if self._closing:
                raise ConnectionError("the link is closed")
            found = connection.disagreements(self.mapping) if self.mapping else ()
            with self._changed:
                self.mismatch = "; ".join(found)
                self._changed.notify_all()
            if found:
                raise MappingError(self.mismatch)
        except BaseException:
            if self._taken_from_comparison() is not None:
                connection.close()
            raise
        if self._taken_from_comparison() is None:
            raise ConnectionError("the link is closed")
        return connection

    def _taken_from_comparison(self) -> Connection | None:
        """The connection that is being compared, for whoever asks first: it is closed once."""
        with self._changed:
            taken, self._comparing = self._comparing, None
            return taken

    def _failed(self, cause: str) -> None:
        with self._changed:
            before = self._status
            if before.cause != cause:
                self._status = LinkStatus(before.state, before.since, cause, before.losses)
            self._changed.wait_for(lambda: self._closing, self._pause)
        self._pause = min(2 * self._pause, self._options.longest_pause)

    def _watch(self, connection: Connection) -> None:
        """Probe until the connection is lost or the link closed."""
        while True:
            with self._changed:
                over = self._changed.wait_for(
                    lambda: self._closing or self._connection is not connection, _PROBE_PERIOD
                )
            if over:
                with self._changed:
                    self._connection = None
                return
            if self._asking:  # the question has its own time-out, and may come before a probe
                continue
            # A server that infers in its event loop answers probes after that.
            longest = max(self._options.inference_timeout, self._options.connect_timeout)
            try:
                connection.probe(longest)
            except OSError as error:
                self._lost(connection, one_line(error))
