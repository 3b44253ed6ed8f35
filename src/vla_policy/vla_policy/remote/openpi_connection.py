"""openpi: a websocket on which the server greets with its metadata and answers each request."""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from vla_policy.remote import openpi_wire
from vla_policy.remote.connection import LinkOptions, ServerError, WireError
from vla_policy.remote.remote_mapping import RemoteMapping
from vla_policy.remote.websocket_connection import Websocket


class OpenpiConnection:
    """See `connection.Connection`. openpi's metadata are free: nothing of them is compared."""

    def __init__(self, options: LinkOptions) -> None:
        require_healthy(options)
        key = options.api_key
        self._websocket = Websocket(options, {"Authorization": f"Api-Key {key}"} if key else None)
        self.probe, self.close = self._websocket.probe, self._websocket.close
        try:
            openpi_wire.unpack(self._websocket.receive(time.monotonic() + options.connect_timeout))
        except BaseException:
            self.close()
            raise

    def disagreements(self, mapping: RemoteMapping) -> Sequence[str]:
        """None that could be known."""
        return ()

    def infer(self, request: dict[str, Any], timeout: float) -> Any:
        """The server's answer."""
        self._websocket.send(openpi_wire.pack(request))
        reply = self._websocket.receive(time.monotonic() + timeout)
        try:
            return openpi_wire.unpack(reply)
        except WireError as error:
            raise ServerError(f"the server's answer is refused: {error}") from error

    def reset(self, timeout: float) -> None:
        """The server keeps nothing of ours."""


connect = OpenpiConnection


def require_healthy(options: LinkOptions, path: str = "/healthz") -> None:
    """Raise ConnectionError where the server itself says that it is not well.

    Where nobody answers, connecting the websocket says why.
    """
    url = urlsplit(options.url)
    kind = http.client.HTTPSConnection if url.scheme == "wss" else http.client.HTTPConnection
    asked = kind(url.hostname or "", url.port, timeout=options.connect_timeout / 2)
    try:
        asked.request("GET", path)
        status = asked.getresponse().status
    except (OSError, http.client.HTTPException):
        return
    finally:
        asked.close()
    if status >= 500:
        raise ConnectionError(f"the server's {path} answers {status}; accepted: 200")
