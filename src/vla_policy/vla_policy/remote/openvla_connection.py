"""OpenVLA and OpenVLA-OFT: a POST of JSON to /act, whose arrays are text.

The mapping's request is the payload: {image, instruction, unnorm_key?} of OpenVLA, or
{full_image, …wrist…, state, instruction} of OpenVLA-OFT. An answer is one action, or a list of
them; here {actions: (rows, columns)}. The payload is sent as one encoded text, which servers take
with any version of json-numpy and answer in the same way.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from vla_policy.remote import openpi_wire
from vla_policy.remote.connection import MAX_BYTES, LinkOptions, ServerError, WireError, one_line
from vla_policy.remote.remote_mapping import RemoteMapping

_PATH = "/act"
_ACTIONS = "actions"


class OpenvlaConnection:
    """See `connection.Connection`.

    A request is not numbered: after a time-out its connection is given up, with the late answer.
    What is known before the first action is that the server has `/act`, where it describes itself.
    """

    def __init__(self, options: LinkOptions) -> None:
        url = urlsplit(options.url)
        secure = url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._address = (url.hostname or "", url.port or (443 if secure else 80))
        self._path = url.path if url.path.strip("/") else _PATH
        self._http = kind(*self._address, timeout=options.connect_timeout)
        try:
            with _lost_as_os_error():
                self._http.connect()
                self._description = self._described(options.connect_timeout)
        except BaseException:
            self.close()
            raise

    def disagreements(self, mapping: RemoteMapping) -> Sequence[str]:
        """The endpoint and the names that are the protocol's own."""
        found = []
        paths = self._description.get("paths")
        if isinstance(paths, dict) and self._path not in paths:
            found.append(
                f"the server has {', '.join(paths) or 'nothing'}, and {self._path} is asked"
            )
        images = {image.key for image in mapping.images}
        if not {("image",), ("full_image",)} & images:
            named = ", ".join("/".join(key) for key in sorted(images)) or "nothing"
            found.append(
                f"the server wants image (OpenVLA) or full_image (OFT), the mapping's are {named}"
            )
        if mapping.prompt_key != ("instruction",):
            found.append(f"the server wants instruction, the mapping's prompt is {mapping.prompt}")
        if mapping.action_keys != (_ACTIONS,):
            found.append(f"the answer is read as {_ACTIONS}, the mapping's key is "
                         f"{', '.join(mapping.action_keys)}")  # fmt: skip
        return found

    def infer(self, request: dict[str, Any], timeout: float) -> Any:
        """The server's actions, one row for OpenVLA's single one."""
        try:
            body = json.dumps({"encoded": json.dumps(request, default=_encoded)})
        except (TypeError, ValueError) as error:
            raise WireError(f"cannot be sent: {error}") from error
        status, data = self._exchange("POST", body.encode(), timeout)
        if status != 200:
            raise ServerError(
                f"the server reports: {status} {one_line(data[:200].decode('latin1'))}"
            )
        try:
            answer = json.loads(data)
            if isinstance(answer, str) and answer != "error":  # it is encoded twice
                answer = json.loads(answer, object_hook=_decoded)
        except WireError as error:
            raise ServerError(f"the server's answer is refused: {error}") from error
        except (ValueError, RecursionError) as error:
            raise ServerError(f"the server's answer is refused: {one_line(error, 80)}") from error
        if isinstance(answer, str):  # its only report, with status 200
            raise ServerError(f"the server reports: {one_line(answer)} (its own log says why)")
        return {_ACTIONS: _rows(answer)}

    def reset(self, timeout: float) -> None:
        """The server keeps nothing of ours."""

    def probe(self, timeout: float) -> None:
        """Whether it still takes connections: any request would be in its log."""
        socket.create_connection(self._address, timeout).close()

    def close(self) -> None:
        """End the connection."""
        sock = self._http.sock
        if sock is not None:
            with contextlib.suppress(OSError):  # it may have gone by itself
                sock.shutdown(socket.SHUT_RDWR)
        self._http.close()

    def _described(self, timeout: float) -> dict[str, Any]:
        """FastAPI's description of the server; empty where it has none."""
        status, data = self._exchange("GET", None, timeout, "/openapi.json")
        try:
            found = json.loads(data) if status == 200 else {}
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _exchange(
        self, method: str, body: bytes | None, timeout: float, path: str = ""
    ) -> tuple[int, bytes]:
        with _lost_as_os_error():
            if self._http.sock is None:
                self._http.connect()
            with _until(self._http.sock, timeout):
                headers = {"Content-Type": "application/json"}
                self._http.request(method, path or self._path, body, headers)
                response = self._http.getresponse()
                data = response.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            self._http.close()
            raise ServerError(f"the server's answer is refused: accepted: up to {MAX_BYTES} bytes")
        return response.status, data


connect = OpenvlaConnection


@contextlib.contextmanager
def _until(sock: socket.socket, timeout: float) -> Iterator[None]:
    """Shut a connection down at the end of its time: the socket's own is each piece's alone."""
    sock.settimeout(timeout)
    over = threading.Event()

    def end() -> None:
        over.set()
        with contextlib.suppress(OSError):  # it may have gone by itself
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        if not over.is_set():
            raise
        raise TimeoutError("no answer in time") from error
    finally:
        timer.cancel()
    if over.is_set():
        raise TimeoutError("no answer in time")


@contextlib.contextmanager
def _lost_as_os_error() -> Iterator[None]:
    try:
        yield
    except http.client.HTTPException as error:
        raise ConnectionError(one_line(error)) from error


def _encoded(value: Any) -> Any:
    """As json-numpy."""
    if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.kind not in "biuf":
        raise TypeError(f"{type(value).__name__} is no array of numbers")
    text = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return {"__numpy__": text, "dtype": value.dtype.str, "shape": value.shape}


def _decoded(value: dict[str, Any]) -> Any:
    text = value.get("__numpy__")
    if not isinstance(text, str):
        return value
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError(f"an array's data are no base64: {error}") from error
    return openpi_wire.array_of(value.get("dtype"), value.get("shape"), data)


def _rows(answer: Any) -> Any:
    """(rows, columns) of one action, a list of them or an array of them; else as it came."""
    parts = answer if isinstance(answer, list) else [answer]
    try:
        rows = np.array(parts, dtype=np.float64)
    except (TypeError, ValueError):
        return answer
    if not isinstance(answer, list):
        return rows if rows.ndim == 2 else rows[0]
    return rows[None] if rows.ndim == 1 and rows.size else rows
