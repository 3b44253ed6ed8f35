"""GR00T: ZeroMQ, one request and one answer at a time, to named endpoints of the server.

The mapping's request has the maps video, state and language: {video: {camera: (H, W, 3)},
state: {name: (D,)}, language: {key: text}}, and (T, H, W, 3) or (T, D) where it has frames; the
batch, and a time of one step, are added here. Its map options, if it has one, goes with each
request. An answer is a map of the action's parts, each (rows, columns).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import zmq

from vla_policy.remote import gr00t_wire
from vla_policy.remote.connection import MAX_BYTES, LinkOptions, ServerError, WireError, one_line
from vla_policy.remote.remote_mapping import RemoteMapping

_SLICE = 50  # ms, after which a wait looks whether the connection is being closed
_MODALITIES = ("video", "state", "language")
_OPTIONS = "options"
_DIMENSIONS = {"video": 5, "state": 3}  # with batch and time


class Gr00tConnection:
    """See `connection.Connection`.

    A request socket that was not answered cannot ask again, and would hand out the late answer: the
    connection is given up with it, and the next one has a socket of its own.
    """

    def __init__(self, options: LinkOptions) -> None:
        self._options = options
        self._as_npy = True  # which the servers of N1.7 read as well
        self._closed = threading.Event()
        self._context = zmq.Context()
        self._asking, self._probing = _Asker(self), _Asker(self)
        try:
            self._call(self._asking, "ping", None, options.connect_timeout)
            self._modalities = self._modality_configuration(options.connect_timeout)
            self.reset(options.connect_timeout)
        except BaseException:
            self.close()
            raise

    def disagreements(self, mapping: RemoteMapping) -> Sequence[str]:
        """Keys that one side has and the other lacks, and frames of the past that differ."""
        ours: dict[str, list[str]] = {modality: [] for modality in _MODALITIES}
        steps: dict[str, list[list[int]]] = {modality: [] for modality in _MODALITIES}
        past = mapping.past
        keys = [image.key for image in mapping.images] + [state.key for state in mapping.states]
        for key in (*keys, mapping.prompt_key):
            if len(key) != 2 or key[0] not in ours:
                return [f"the mapping's key is {list(key)}; accepted by the server: [video, …], "
                        "[state, …] or [language, …]"]  # fmt: skip
            ours[key[0]].append(key[1])
            steps[key[0]].append(past[key].steps if key in past else [0])
        found = []
        for modality in _MODALITIES:
            theirs = self._keys(modality)
            if set(theirs) != set(ours[modality]):
                found.append(f"the server's {modality} is {', '.join(theirs) or 'nothing'}, the "
                             f"mapping's {', '.join(ours[modality]) or 'nothing'}")  # fmt: skip
            frames = self._modalities[modality]["delta_indices"]
            another = next((own for own in steps[modality] if own != frames), None)
            if another is not None:
                found.append(f"the server wants {modality} at the steps {frames}, the mapping has "
                             f"{another} (frames and stride)")  # fmt: skip
        unsent = [key for key in mapping.constants if key not in (*_MODALITIES, _OPTIONS)]
        if unsent:
            found.append(f"the mapping's constants have {', '.join(unsent)}; accepted by the "
                         f"server, whose embodiment is that of its start: {_OPTIONS}")  # fmt: skip
        missing = [key for key in mapping.action_keys if key not in self._keys("action")]
        if missing:
            found.append(f"the server's action is {', '.join(self._keys('action'))}, the mapping's "
                         f"{', '.join(mapping.action_keys)}")  # fmt: skip
        return found

    def infer(self, request: dict[str, Any], timeout: float) -> Any:
        """The server's action, without its batch."""
        observation = {key: _batched(key, request.get(key, {})) for key in _MODALITIES}
        data = {"observation": observation, "options": request.get(_OPTIONS)}
        reply = self._call(self._asking, "get_action", data, timeout)
        if not isinstance(reply, list) or not reply or not isinstance(reply[0], dict):
            raise ServerError("the server's answer is refused: it is no action and its information")
        return {key: _unbatched(part) for key, part in reply[0].items()}

    def reset(self, timeout: float) -> None:
        """Tell the policy that another command begins."""
        self._call(self._asking, "reset", {"options": None}, timeout)

    def probe(self, timeout: float) -> None:
        """Ping, on a socket of its own: sockets belong to one thread."""
        self._call(self._probing, "ping", None, timeout)

    def close(self) -> None:
        """End the connection; what is being asked ends first, within a moment."""
        self._closed.set()
        for asker in (self._asking, self._probing):
            asker.close()
        self._context.term()

    def _keys(self, modality: str) -> list[str]:
        return [str(key) for key in self._modalities[modality]["modality_keys"]]

    def _modality_configuration(self, timeout: float) -> dict[str, dict[str, Any]]:
        found = self._call(self._asking, "get_modality_config", None, timeout)
        wanted = (*_MODALITIES, "action")
        if not isinstance(found, dict) or not all(isinstance(found.get(k), dict) for k in wanted):
            keys = ", ".join(map(str, found))[:100] if isinstance(found, dict) else "no map"
            raise ServerError(f"the server's modalities are {keys}; accepted: {', '.join(wanted)}")
        for modality in wanted:
            for key in ("modality_keys", "delta_indices"):
                if not isinstance(found[modality].get(key), list):
                    raise ServerError(f"the server's {modality}.{key} is no list")
        return found

    def _call(self, asker: _Asker, endpoint: str, data: Any, timeout: float) -> Any:
        message: dict[str, Any] = {"endpoint": endpoint}
        if data is not None:
            message["data"] = data
        if self._options.api_key:
            message["api_token"] = self._options.api_key
        answer = asker.ask(gr00t_wire.pack(message, as_npy=self._as_npy), timeout)
        try:
            reply, as_npy = gr00t_wire.unpack(answer)
        except WireError as error:
            raise ServerError(f"the server's answer is refused: {error}") from error
        if endpoint == "get_modality_config":
            self._as_npy = as_npy
        if isinstance(reply, dict) and "error" in reply:
            raise ServerError(f"the server reports: {one_line(reply['error'])}")
        return reply

    def open_socket(self) -> zmq.Socket[bytes]:
        """A request socket of this connection."""
        if self._closed.is_set():
            raise ConnectionError("the connection is closed")
        made = self._context.socket(zmq.REQ)
        made.setsockopt(zmq.LINGER, 0)
        made.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
        made.connect(self._options.url)
        return made

    @property
    def closed(self) -> bool:
        """Whether it is being closed."""
        return self._closed.is_set()


class _Asker:
    """One request socket, for one thread at a time; a time-out ends the socket."""

    def __init__(self, connection: Gr00tConnection) -> None:
        self._connection = connection
        self._socket: zmq.Socket[bytes] | None = None
        self._lock = threading.Lock()

    def ask(self, data: bytes, timeout: float) -> bytes:
        with self._lock, _as_os_error():
            if self._socket is None:
                self._socket = self._connection.open_socket()
            deadline = time.monotonic() + timeout
            try:
                self._wait(self._socket, zmq.POLLOUT, deadline)
                self._socket.send(data)
                self._wait(self._socket, zmq.POLLIN, deadline)
                return self._socket.recv()
            except BaseException:
                self._socket.close(0)
                self._socket = None
                raise

    def close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close(0)
                self._socket = None

    def _wait(self, socket: zmq.Socket[bytes], event: int, deadline: float) -> None:
        while not socket.poll(_SLICE, event):
            if self._connection.closed:
                raise ConnectionError("the connection is closed")
            if time.monotonic() > deadline:
                raise TimeoutError("no answer in time")


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    try:
        yield
    except zmq.ZMQError as error:
        raise ConnectionError(one_line(error)) from error


def _batched(modality: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """With a batch of one, and one step where it has none: arrays (1, T, …), text [[text]]."""
    return {key: [[part]] if isinstance(part, str) else _with_batch(modality, np.asarray(part))
            for key, part in given.items()}  # fmt: skip


def _with_batch(modality: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array[(None,) * (_DIMENSIONS[modality] - array.ndim)]


def _unbatched(part: Any) -> Any:
    alone = isinstance(part, np.ndarray) and part.ndim == 3 and len(part) == 1
    return part[0] if alone else part


connect = Gr00tConnection
