"""vla-eval: a websocket of typed, numbered msgpack messages, opened by a HELLO of each side.

The mapping's request is an observation's payload, which by vla-eval's custom is
{images: {camera: (H, W, 3)}, states: (D,), task_description: text}; an answer is {actions: …}.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vla_policy.remote import openpi_wire
from vla_policy.remote.connection import LinkOptions, ServerError, WireError, one_line
from vla_policy.remote.remote_mapping import RemoteMapping
from vla_policy.remote.websocket_connection import Websocket

PROTOCOL_VERSION = 1
_HARNESS_VERSION = "0.8.0"  # the release whose protocol this is


class VlaEvalConnection:
    """See `connection.Connection`. An answer to an earlier question is thrown away."""

    def __init__(self, options: LinkOptions) -> None:
        self._sequence = self._episode = 0
        self._websocket = Websocket(options)
        self.probe, self.close = self._websocket.probe, self._websocket.close
        try:
            hello = {"harness_version": _HARNESS_VERSION, "protocol_version": PROTOCOL_VERSION}
            sent = self._send("hello", hello)
            self._hello = self._answer("hello", sent, options.connect_timeout)
            theirs = self._hello.get("protocol_version")
            if theirs != PROTOCOL_VERSION:
                raise ServerError(
                    f"the server speaks vla-eval's protocol {theirs!r:.20}; accepted: "
                    f"{PROTOCOL_VERSION}"
                )
            self.reset(options.connect_timeout)
        except BaseException:
            self.close()
            raise

    def disagreements(self, mapping: RemoteMapping) -> Sequence[str]:
        """What the server's specifications ask for and the mapping lacks, and the other way."""
        wanted, given = _map(self._hello, "observation_spec"), _map(self._hello, "action_spec")
        found = []
        if "image" in wanted and not mapping.images:
            found.append("the server wants images, and the mapping has none")
        state, width = _map(wanted, "state").get("dims", 0), mapping.state_width
        if "state" in wanted and not width:
            found.append("the server wants a state, and the mapping has none")
        elif state and state != width:
            found.append(f"the server's state has {state} dims, the mapping's {width} numbers")
        dims = [_map(given, name).get("dims", 0) for name in given]
        columns = max(mapping.columns) + 1
        if dims and all(isinstance(n, int) and n > 0 for n in dims) and sum(dims) < columns:
            found.append(
                f"the server's actions have {sum(dims)} dims ({', '.join(map(str, given))}), the "
                f"mapping's columns need {columns}"
            )
        return found

    def infer(self, request: dict[str, Any], timeout: float) -> Any:
        """The payload of the action that answers this observation; one row may come as such."""
        reply = self._answer("action", self._send("observation", request), timeout)
        return {
            key: value[None] if isinstance(value, np.ndarray) and value.ndim == 1 else value
            for key, value in reply.items()
        }

    def reset(self, timeout: float) -> None:
        """Begin an episode: the server forgets the chunk that it was in."""
        self._episode = self._send("episode_start", {"task": {}})

    def _send(self, kind: str, payload: Mapping[str, Any]) -> int:
        self._sequence += 1
        message = {"type": kind, "payload": payload, "seq": self._sequence,
                   "timestamp": time.time()}  # fmt: skip
        self._websocket.send(openpi_wire.pack_with(message, _marked))
        return self._sequence

    def _answer(self, kind: str, sequence: int, timeout: float) -> dict[str, Any]:
        """The payload that answers message `sequence`; raises as `Connection.infer`."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                message = openpi_wire.unpack_with(self._websocket.receive(deadline), _unmarked)
            except WireError as error:
                raise ServerError(f"the server's answer is refused: {error}") from error
            if not isinstance(message, dict) or not isinstance(message.get("payload"), dict):
                raise ServerError("the server's answer is no message of vla-eval's")
            of_this = message.get("seq") in (sequence, self._episode)
            if message.get("type") == "error" and of_this:
                reason = message["payload"].get("error", "no reason given")
                raise ServerError(f"the server reports: {one_line(reason)}")
            if message.get("seq") != sequence:
                continue
            if message.get("type") != kind:
                raise ServerError(
                    f"the server answers {message.get('type')!r:.40}; accepted: {kind}"
                )
            payload: dict[str, Any] = message["payload"]
            return payload


connect = VlaEvalConnection


def _marked(value: Any) -> Any:
    """As vla_eval's numpy_codec; images go raw, which costs a tenth of its own default, PNG."""
    if isinstance(value, np.ndarray):
        return {
            "__ndarray__": True,
            "data": value.tobytes(),
            "dtype": value.dtype.str,
            "shape": value.shape,
        }
    return value.item()


def _unmarked(value: dict[Any, Any]) -> Any:
    if "__ndarray__" in value:
        return openpi_wire.array_of(value.get("dtype"), value.get("shape"), value.get("data"))
    return value


def _map(outer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = outer.get(key)
    return inner if isinstance(inner, dict) else {}
