"""The protocols of policy servers, chosen by name and imported only when chosen."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vla_policy.remote.connection import Connection, LinkOptions

# name: (module with `connect`, Python packages that it needs, schemes of its URL)
_PROTOCOLS = {
    "openpi": ("openpi_connection", ("msgpack", "websockets"), ("ws", "wss")),
    "vla-eval": ("vla_eval_connection", ("msgpack", "websockets"), ("ws", "wss")),
    "gr00t": ("gr00t_connection", ("msgpack", "zmq"), ("tcp",)),
    "lerobot": ("lerobot.lerobot_connection", ("grpc",), ("grpc", "grpcs")),
    "openvla": ("openvla_connection", ("msgpack",), ("http", "https")),
}
NAMES = tuple(_PROTOCOLS)
PICKLING = ("lerobot",)  # whose answers are pickles, and whose servers unpickle


def schemes(protocol: str) -> tuple[str, ...]:
    """What its URL may begin with; the first is without TLS."""
    return _PROTOCOLS[protocol][2]


def url_problem(protocol: str, url: str) -> str:
    """What is wrong with a server's URL, as "accepted: …"; empty where nothing is."""
    accepted = schemes(protocol)
    if url.partition("://")[0] in accepted and url.partition("://")[2]:
        return ""
    return f"accepted: {' or '.join(f'{scheme}://host:port' for scheme in accepted)}"


def missing_packages(protocol: str) -> list[str]:
    """Python packages that a protocol needs and that are not installed."""
    return [name for name in _PROTOCOLS[protocol][1] if find_spec(name) is None]


def connector(protocol: str) -> Callable[[LinkOptions], Connection]:
    """What makes a connection whose handshake is over.

    It raises OSError where nobody is there, or does not answer in time, and ServerError or
    WireError where the handshake is not this protocol's.
    """
    made: Callable[[LinkOptions], Connection] = import_module(
        f"vla_policy.remote.{_PROTOCOLS[protocol][0]}"
    ).connect
    return made
