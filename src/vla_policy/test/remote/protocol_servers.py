"""Small servers of the protocols beside openpi's, which can also be bad.

infer: request → actions (rows, columns), or bytes that are sent as they are; what it raises is
reported as the protocol reports errors. hang: an event that answers wait for. requests: what was
asked. They encode by themselves, as the servers that people run do.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import io
import json
import socket
import threading
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import zmq
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

LONGEST_HANG = 10.0  # s


class Behaviour:
    """What all of them share."""

    def __init__(self) -> None:
        self.infer: Callable[[Any], Any] = lambda request: np.full((16, 4), 0.5, np.float32)
        self.requests: list[Any] = []
        self.hang: threading.Event | None = None

    def answer(self, request: Any) -> Any:
        self.requests.append(request)
        infer = self.infer
        if self.hang is not None:
            self.hang.wait(LONGEST_HANG)
        return infer(request)


class VlaEvalServer(Behaviour):
    """As vla_eval.model_servers.serve."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self.hello: dict[str, Any] = {"harness_version": "0.8.0", "protocol_version": 1}
        self.episodes = 0
        self.flood = b""  # sent without end after the next message
        self.echo_sequence = True
        self._connections: set[Any] = set()
        self._server = serve(self._handle, "127.0.0.1", port, compression=None, max_size=None)
        self.port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5.0)

    def _handle(self, connection: Any) -> None:
        self._connections.add(connection)
        with contextlib.suppress(ConnectionClosed, OSError):
            while True:
                message = msgpack.unpackb(connection.recv(), object_hook=_array)
                reply = self._reply(message)
                while self.flood:
                    connection.send(self.flood)
                if isinstance(reply, bytes):
                    connection.send(reply)
                elif reply is not None:
                    kind, payload, *other = reply
                    connection.send(self.packed(kind, payload, *(other or [message["seq"]])))
        self._connections.discard(connection)

    def packed(self, kind: str, payload: Any, sequence: int) -> bytes:
        message = {"type": kind, "payload": payload, "seq": sequence, "timestamp": 0.0}
        return msgpack.packb(message, default=_marked)

    def _reply(self, message: Any) -> Any:
        if message["type"] == "hello":
            return ("hello", self.hello)
        if message["type"] == "episode_start":
            self.episodes += 1
            return None
        try:
            answer = self.answer(message["payload"])
        except ValueError as error:
            return ("error", {"error": f"observation_failed: ValueError: {error}"})
        return answer if isinstance(answer, bytes) else ("action", {"actions": answer})


def _array(value: Any) -> Any:
    if "__ndarray__" in value:
        return np.frombuffer(value["data"], np.dtype(value["dtype"])).reshape(value["shape"])
    return value


def _marked(value: Any) -> Any:
    return {
        "__ndarray__": True,
        "data": value.tobytes(),
        "dtype": value.dtype.str,
        "shape": list(value.shape),
    }


class Gr00tServer(Behaviour):
    """As gr00t.policy.server_client; npy: N1.6, which packs arrays by np.save; else N1.7."""

    MODALITIES = {
        "video": {"delta_indices": [0], "modality_keys": ["front"]},
        "state": {"delta_indices": [0], "modality_keys": ["single_arm", "gripper"]},
        "action": {"delta_indices": list(range(16)), "modality_keys": ["single_arm", "gripper"]},
        "language": {"delta_indices": [0], "modality_keys": ["annotation.human.task"]},
    }

    def __init__(self, port: int = 0, *, npy: bool = True, token: str = "") -> None:
        super().__init__()
        self.npy, self.token = npy, token
        self.modalities = {key: dict(value) for key, value in self.MODALITIES.items()}
        self.endpoints: list[str] = []
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        self.url = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self.port = int(self.url.rpartition(":")[2])
        self._running = True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._running = False
        self._thread.join(5.0)

    def _run(self) -> None:
        while self._running:
            if self._socket.poll(20):
                message = msgpack.unpackb(self._socket.recv(), object_hook=self._decoded)
                self.endpoints.append(message["endpoint"])
                reply = self._reply(message)
                packed = msgpack.packb(reply, default=self._encoded)
                self._socket.send(reply if isinstance(reply, bytes) else packed)
        self._socket.close(0)
        self._context.term()

    def _reply(self, message: Any) -> Any:
        if self.token and message.get("api_token") != self.token:
            return {"error": "Unauthorized: Invalid API token"}
        if message["endpoint"] == "ping":
            return {"status": "ok", "message": "Server is running"}
        if message["endpoint"] == "reset":
            return {}
        if message["endpoint"] == "get_modality_config":
            mark = "__ModalityConfig_class__" if self.npy else "__ModalityConfig__"
            return {k: {mark: True, "as_json": v} for k, v in self.modalities.items()}
        try:
            answer = self.answer(message["data"]["observation"])
        except ValueError as error:
            return {"error": str(error)}
        if isinstance(answer, bytes):
            return answer
        return [{"single_arm": answer[None, ..., :3], "gripper": answer[None, ..., 3:]}, {}]

    def _decoded(self, value: Any) -> Any:
        if self.npy and "__ndarray_class__" in value:
            return np.load(io.BytesIO(value["as_npy"]), allow_pickle=False)
        if not self.npy and b"nd" in value:
            array = np.frombuffer(value[b"data"], np.dtype(value[b"type"]))
            return array.reshape(value[b"shape"])
        return value

    def _encoded(self, array: Any) -> Any:
        if self.npy:
            output = io.BytesIO()
            np.save(output, array, allow_pickle=False)
            return {"__ndarray_class__": True, "as_npy": output.getvalue()}
        return {
            b"nd": True,
            b"type": array.dtype.str,
            b"kind": b"",
            b"shape": array.shape,
            b"data": array.tobytes(),
        }


class OpenvlaServer(Behaviour):
    """As the deployment script of OpenVLA, and of OpenVLA-OFT: as_list, an action for each row."""

    def __init__(self, port: int = 0) -> None:
        super().__init__()
        self.as_list = True
        self.path = "/act"
        self.status = 200
        self.drops: threading.Event | None = None  # until then, bytes of a header without end
        self._connections: set[Any] = set()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(5.0)

    def reply(self, body: bytes) -> Any:
        payload = json.loads(body)
        assert list(payload) == ["encoded"]
        try:
            answer = self.answer(json.loads(payload["encoded"], object_hook=_of_text))
        except ValueError:
            return json.dumps("error").encode()
        if isinstance(answer, bytes):
            return answer
        rows = list(answer) if self.as_list else answer
        return json.dumps(json.dumps(rows, default=_as_text)).encode()

    def _handler(self) -> Any:
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(200, json.dumps({"paths": {server.path: {}}}).encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(server.status, server.reply(body))

            def answer(self, status: int, data: bytes) -> None:
                server._connections.add(self.connection)
                with contextlib.suppress(OSError):
                    while server.drops is not None and not server.drops.wait(0.05):
                        self.wfile.write(b"H")
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler


def _as_text(value: Any) -> Any:
    text = base64.b64encode(value.tobytes()).decode()
    return {"__numpy__": text, "dtype": value.dtype.str, "shape": value.shape}


def _of_text(value: Any) -> Any:
    if "__numpy__" in value:
        array = np.frombuffer(base64.b64decode(value["__numpy__"]), np.dtype(value["dtype"]))
        return array.reshape(value["shape"])
    return value
