"""For tests and benches: small servers of the remote protocols, which can also be bad.

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
import pickle
import queue
import socket
import threading
import types
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
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
        self.options: Any = None  # of the latest request
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
            self.options = message["data"]["options"]
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
            disable_nagle_algorithm = True  # or each answer waits for the client's delayed ACK

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


class LerobotServer(Behaviour):
    """As lerobot.async_inference.policy_server 0.6.1, whose pickles `timed_actions` writes.

    setups: the instructions that were sent. setup_error: what loading the policy raises.
    """

    QUEUE_TIMEOUT = 2.0  # s

    def __init__(self, port: int = 0, credentials: Any = None) -> None:
        super().__init__()
        self.setups: list[dict[str, Any]] = []
        self.setup_error = ""
        self.observations: list[dict[str, Any]] = []
        self.offset = 0  # of the time steps that it answers with: another observation's
        self._newest: queue.Queue[Any] = queue.Queue(1)
        self._server = grpc.server(
            futures.ThreadPoolExecutor(4, "server"),
            options=[("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)],
        )
        unary = grpc.unary_unary_rpc_method_handler
        handlers = {
            "Ready": unary(self._ready),
            "SendPolicyInstructions": unary(self._set_up),
            "SendObservations": grpc.stream_unary_rpc_method_handler(self._observe),
            "GetActions": unary(self._act),
        }
        service = grpc.method_handlers_generic_handler("transport.AsyncInference", handlers)
        self._server.add_generic_rpc_handlers((service,))
        address = f"127.0.0.1:{port}"
        add = self._server.add_secure_port if credentials else self._server.add_insecure_port
        self.port = add(address, credentials) if credentials else add(address)
        self.url = f"{'grpcs' if credentials else 'grpc'}://localhost:{self.port}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(0).wait(5.0)

    def _ready(self, request: bytes, context: Any) -> bytes:
        self._newest = queue.Queue(1)
        return b""

    def _set_up(self, request: bytes, context: Any) -> bytes:
        self.setups.append(vars(_unpickled(_field(request))))
        if self.setup_error:
            raise ValueError(self.setup_error)
        return b""

    def _observe(self, messages: Any, context: Any) -> bytes:
        pieces = list(messages)
        assert all(piece[:2] == b"\x08\x02" for piece in pieces[1:-1])
        assert len(pieces) == 1 or pieces[0][:2] == b"\x08\x01"
        assert pieces[-1][:2] == b"\x08\x03"
        newest = _unpickled(b"".join(_field(piece[2:]) for piece in pieces))
        with contextlib.suppress(queue.Empty):
            self._newest.get_nowait()
        self._newest.put(newest)
        return b""

    def _act(self, request: bytes, context: Any) -> bytes:
        try:
            observed = self._newest.get(timeout=self.QUEUE_TIMEOUT)
            self.observations.append(vars(observed))
            answer = self.answer(observed.observation)
        except (queue.Empty, ValueError):
            return b""  # its log alone says why
        if not isinstance(answer, bytes):
            answer = timed_actions(answer, observed.timestep + self.offset)
        return b"\x0a" + _varint(len(answer)) + answer


def timed_actions(
    rows: Any, timestep: int, storage_type: str = "FloatStorage", dtype: Any = np.float32
) -> bytes:
    """The pickle of a list of TimedAction, whose tensors are views of one storage."""
    rows = np.asarray(rows, dtype)
    system = {"protocol_version": 1001, "little_endian": True,
              "type_sizes": {"short": 2, "int": 4, "long": 4}}  # fmt: skip
    storage = b"".join(
        (
            *(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, system)),
            b"\x80\x02(" + _plain("storage") + f"ctorch\n{storage_type}\n".encode() + _plain("94"),
            _plain("cpu") + _plain(rows.size) + b"NtQ.",
            pickle.dumps(["94"], 2),
            np.int64(rows.size).tobytes() + rows.tobytes(),
        )
    )
    made = []
    for index, row in enumerate(rows):
        shape = tuple(row.shape), tuple(side // rows.itemsize for side in row.strides)
        tensor = (
            b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n"
            + _plain(storage) + b"\x85R" + _plain(index * row.size) + _plain(shape[0])
            + _plain(shape[1]) + b"\x89ccollections\nOrderedDict\n)RtR"
        )  # fmt: skip
        made.append(
            b"clerobot.async_inference.helpers\nTimedAction\n)\x81}("
            + _plain("timestamp") + _plain(0.5 + index) + _plain("timestep")
            + _plain(timestep + index) + _plain("action") + tensor + b"ub"
        )  # fmt: skip
    return b"\x80\x03](" + b"".join(made) + b"e."


def _plain(value: Any) -> bytes:
    return pickle.dumps(value, 3)[2:-1]


def _unpickled(data: bytes) -> Any:
    """What a client sends, its classes as namespaces."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            ours = module == "lerobot.async_inference.helpers"
            return types.SimpleNamespace if ours else super().find_class(module, name)

    return Unpickler(io.BytesIO(data)).load()


def _field(message: bytes) -> bytes:
    """The bytes of a message's only other field, whose length has up to five bytes."""
    end = next(i for i in range(1, 6) if message[i] < 0x80) + 1
    return message[end:]


def _varint(number: int) -> bytes:
    rest, last = divmod(number, 0x80)
    return bytes((last | 0x80,)) + _varint(rest) if rest else bytes((last,))
