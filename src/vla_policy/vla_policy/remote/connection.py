"""What the link asks of a connection to a policy server, whatever its protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vla_policy.remote.openpi_wire import MAX_BYTES, WireError
from vla_policy.remote.remote_mapping import RemoteMapping

__all__ = ["MAX_BYTES", "Connection", "LinkOptions", "ServerError", "WireError", "one_line"]


class ServerError(Exception):
    """The server lives, and says that it cannot answer, or what it says cannot be read."""


@dataclass(frozen=True)
class LinkOptions:
    """Where the server is and how long it has.

    url: as its protocol has it. Times in s: to connect, to answer, the longest pause between
    attempts, to load the policy that it is told to (lerobot). api_key: sent as the protocol's own
    client does; empty: none. protocol: see `protocols`.
    """

    url: str
    connect_timeout: float = 2.0
    inference_timeout: float = 0.3
    longest_pause: float = 5.0
    api_key: str = ""
    protocol: str = "openpi"
    load_timeout: float = 30.0


class Connection(Protocol):
    """One connection, ready to infer: its handshake is over.

    `infer` and `reset` are called by one thread at a time, `probe` and `close` by another one.
    All raise TimeoutError or another OSError where the server is gone, and end within their time.
    """

    def disagreements(self, mapping: RemoteMapping) -> Sequence[str]:
        """Where the handshake and the mapping differ: each one line that names both sides.

        It ends the handshake, and may ask the server (lerobot): raises as `infer` does.
        """

    def infer(self, request: dict[str, Any], timeout: float) -> Any:
        """The server's answer to the mapping's request, as a map of arrays.

        Raises:
            WireError: the request cannot be sent. ServerError: see there.
        """

    def reset(self, timeout: float) -> None:
        """Tell the server that another command begins."""

    def probe(self, timeout: float) -> None:
        """Return where the server lives."""

    def close(self) -> None:
        """End the connection; one that is asked at this moment raises an OSError."""


def one_line(error: object, length: int = 200) -> str:
    """An error's text, or its type where it has none."""
    return " ".join(str(error).split())[:length] or type(error).__name__
