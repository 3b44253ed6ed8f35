"""LeRobot's asynchronous inference (0.4 to 0.6): gRPC, whose messages carry pickles.

The mapping's request is {observation.state: (D,), observation.images.CAMERA: (H, W, 3), task: text}
and constants, which tell the server what to load: policy_type, pretrained_name_or_path (a folder of
the server's, or a name), actions_per_chunk, device, and rename_map where keys differ. An answer is
{action: (rows, columns)}.

The server unpickles all that anyone sends to its port (CVE-2026-25874): keep it to a network of
your own. Nothing is unpickled here but numbers in three classes; see `lerobot_wire`.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np

from vla_policy.remote.connection import MAX_BYTES, LinkOptions, ServerError, WireError, one_line
from vla_policy.remote.lerobot import lerobot_wire
from vla_policy.remote.remote_mapping import RemoteMapping

_SERVICE = "/transport.AsyncInference/"
_STATE, _IMAGES, _TASK, _ACTION = "observation.state", "observation.images.", "task", "action"
_INSTRUCTIONS = {"policy_type": str, "pretrained_name_or_path": str, "actions_per_chunk": int,
                 "device": str, "rename_map": dict}  # fmt: skip
_OPTIONAL = {"device": "cpu", "rename_map": {}}
_GONE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


class LerobotConnection:
    """See `connection.Connection`.

    The server knows one client, one policy and the newest observation. Observations are numbered,
    by the clock at first so that no two clients share numbers, and an answer to another one is
    thrown away.
    """

    def __init__(self, options: LinkOptions) -> None:
        self._options = options
        url = urlsplit(options.url)
        limits = [
            ("grpc.max_receive_message_length", MAX_BYTES + 16),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),  # or a connection given up would be used again
            ("grpc.enable_http_proxy", 0),
        ]
        self._channel = (
            grpc.secure_channel(url.netloc, _credentials(), limits)
            if url.scheme == "grpcs"
            else grpc.insecure_channel(url.netloc, limits)
        )
        self._step = time.time_ns() // 1_000_000
        try:
            self._call("Ready", b"", options.connect_timeout)
        except BaseException:
            self.close()
            raise

    def disagreements(self, mapping: RemoteMapping) -> Sequence[str]:
        """LeRobot's own names; then the server loads the policy and must answer to a grey image."""
        found = _misnamed(mapping)
        if found:
            return found
        instructions = {**_OPTIONAL, **{key: mapping.constants[key] for key in _INSTRUCTIONS
                                        if key in mapping.constants}}  # fmt: skip
        trial = mapping.trial_request()
        features = {"lerobot_features": _features(trial)}
        limit = self._options.load_timeout
        setup = lerobot_wire.policy_instructions({**instructions, **features})
        policy = f"{instructions['policy_type']} of {instructions['pretrained_name_or_path']}"
        try:
            self._call("SendPolicyInstructions", lerobot_wire.bytes_message(setup), limit)
        except ServerError as error:
            return [f"the mapping asks for {policy}, {error}"]
        try:
            width = self.infer(trial, limit)[_ACTION].shape[-1]
        except ServerError as error:
            return [f"the mapping's observation is {_told(trial)}, which {policy} does not take: "
                    f"{error}"]  # fmt: skip
        columns = max(mapping.columns) + 1
        if width < columns:
            return [f"the actions of {policy} have {width} numbers, the mapping's columns need "
                    f"{columns}"]  # fmt: skip
        return []

    def infer(self, request: dict[str, Any], timeout: float) -> Any:
        """The server's action that begins at this observation."""
        deadline = time.monotonic() + timeout
        self._step += 1
        data = lerobot_wire.timed_observation(time.time(), self._step, _raw(request))
        self._call("SendObservations", lerobot_wire.observation_messages(data), timeout)
        while True:
            reply = self._call("GetActions", b"", deadline - time.monotonic())
            if not reply:
                raise ServerError("the server reports: nothing (its own log says why)")
            try:
                rows = lerobot_wire.actions(lerobot_wire.message_bytes(reply))
            except WireError as error:
                raise ServerError(f"the server's answer is refused: {error}") from error
            if not rows:
                return {_ACTION: np.empty((0, 0))}
            if rows[0].timestep == self._step:
                return {_ACTION: np.stack([row.action for row in rows]).astype(np.float64)}

    def reset(self, timeout: float) -> None:
        """Nothing of the last command is kept: a chunk is made of each observation alone."""

    def probe(self, timeout: float) -> None:
        """Whether the server takes calls, by gRPC's health service, whether it has that or not."""
        try:
            self._call("/grpc.health.v1.Health/Check", b"", timeout)
        except ServerError:
            return  # it lives, and has no such service

    def close(self) -> None:
        """End the connection; what is being asked ends with it."""
        self._channel.close()

    def _call(self, method: str, sent: bytes | Iterator[bytes], timeout: float) -> bytes:
        if timeout <= 0.0:
            raise TimeoutError("no answer in time")
        path = method if method.startswith("/") else _SERVICE + method
        stream = not isinstance(sent, bytes)
        with _as_our_errors():
            kind = self._channel.stream_unary if stream else self._channel.unary_unary
            answer: bytes = kind(path)(sent, timeout=timeout)
            return answer


connect = LerobotConnection


def _credentials() -> grpc.ChannelCredentials:
    """The authorities that `wss` and `https` trust as well, rather than gRPC's own."""
    file = ssl.get_default_verify_paths().cafile
    return grpc.ssl_channel_credentials(Path(file).read_bytes() if file else None)


@contextlib.contextmanager
def _as_our_errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        details = one_line(error.details() or error.code().name)
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise TimeoutError("no answer in time") from error
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            told = f"accepted: up to {MAX_BYTES} bytes ({details})"
            raise ServerError(f"the server's answer is refused: {told}") from error
        if error.code() in _GONE:
            raise ConnectionError(details) from error
        raise ServerError(f"the server reports: {details}") from error
    except ValueError as error:  # the channel is closed
        raise ConnectionError(one_line(error)) from error


def _misnamed(mapping: RemoteMapping) -> list[str]:
    """What is not named as LeRobot names it."""
    found = []
    states = [entry.key for entry in mapping.states]
    if states != [(_STATE,)]:
        told = ", ".join("/".join(key) for key in states) or "nothing"
        found.append(f"the server wants the state as {_STATE}, the mapping's is {told}")
    for image in mapping.images:
        if len(image.key) != 1 or not image.key[0].startswith(_IMAGES) or image.layout != "hwc":
            found.append(f"the server wants images as {_IMAGES}CAMERA in the layout hwc, the "
                         f"mapping's is {'/'.join(image.key)}, {image.layout}")  # fmt: skip
    if mapping.past:
        told = ", ".join("/".join(key) for key in mapping.past)
        found.append(f"the server's policy keeps its own past, the mapping has frames of {told}")
    if mapping.prompt_key != (_TASK,):
        found.append(f"the server wants {_TASK}, the mapping's prompt is "
                     f"{'/'.join(mapping.prompt_key)}")  # fmt: skip
    if mapping.action_keys != (_ACTION,):
        found.append(f"the answer is read as {_ACTION}, the mapping's key is "
                     f"{', '.join(mapping.action_keys)}")  # fmt: skip
    given = mapping.constants
    wrong = [key for key in given if not isinstance(given[key], _INSTRUCTIONS.get(key, ()))]
    wrong += [key for key in _INSTRUCTIONS if key not in given and key not in _OPTIONAL]
    if wrong:
        found.append(f"the mapping's constants have unknown, wrong or missing {', '.join(wrong)}; "
                     f"accepted by the server: {', '.join(_INSTRUCTIONS)}")  # fmt: skip
    return found


def _features(request: Mapping[str, Any]) -> dict[str, Any]:
    """LeRobot's description of a request: which entries of `_raw` make which of its keys."""
    made: dict[str, Any] = {}
    for key, value in request.items():
        if key == _STATE:
            names = [_state_name(i) for i in range(len(value))]
            made[key] = {"dtype": "float32", "shape": value.shape, "names": names}
        elif key.startswith(_IMAGES):
            names = ["height", "width", "channels"]
            made[key] = {"dtype": "image", "shape": value.shape, "names": names}
    return made


def _raw(request: Mapping[str, Any]) -> dict[str, Any]:
    """As a robot of LeRobot's gives it: a number for each joint, a picture for each camera."""
    made: dict[str, Any] = {_TASK: request[_TASK]}
    for key, value in request.items():
        if key == _STATE:
            made.update({_state_name(i): float(number) for i, number in enumerate(value)})
        elif key.startswith(_IMAGES):
            made[key[len(_IMAGES) :]] = np.ascontiguousarray(value)
    return made


def _state_name(index: int) -> str:
    return f"{_STATE}.{index}"  # no camera is called so


def _told(request: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {getattr(value, 'shape', '')}" for key, value in request.items()
                     if key.startswith("observation."))  # fmt: skip
