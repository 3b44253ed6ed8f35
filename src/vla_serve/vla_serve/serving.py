"""The server's own arguments, and serving until it is told to end; free of ROS and of models."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from vla_serve.batching import Batcher
from vla_serve.openpi_server import OpenpiServer, ServerOptions
from vla_serve.served_policy import ServedPolicy

if TYPE_CHECKING:
    from vla_serve.vla_eval_server import VlaEvalServer

API_KEY = "VLA_SERVE_API_KEY"  # no argument: those can be read by everyone on the machine
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def add_batching_arguments(parser: argparse.ArgumentParser) -> None:
    """How requests share a forward pass, where the policy takes several in one."""
    parser.add_argument(
        "--window",
        type=_milliseconds,
        default=0.003,
        metavar="MS",
        help="that a request waits for others to go along with (default 3)",
    )
    parser.add_argument(
        "--largest-batch",
        type=at_least(1),
        default=16,
        metavar="N",
        help="requests of one forward pass (default 16)",
    )


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the server listens, and for whom."""
    default = ServerOptions()
    parser.add_argument(
        "--host",
        default=default.host,
        help=f"address to listen at; 0.0.0.0: every one of this machine (default {default.host})",
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=default.port,
        help=f"0: any that is free (default {default.port})",
    )
    parser.add_argument(
        "--max-clients",
        type=at_least(1),
        default=default.max_clients,
        metavar="N",
        help=f"further ones get status 503 (default {default.max_clients})",
    )
    parser.add_argument(
        "--max-megabytes",
        type=at_least(1),
        default=default.max_bytes >> 20,
        metavar="N",
        help="of a request (default %(default)s)",
    )
    parser.add_argument("--certificate", default="", metavar="PEM", help="serve wss://")
    parser.add_argument("--private-key", default="", metavar="PEM", help="of the certificate")


def server_options(options: argparse.Namespace) -> ServerOptions:
    """Of the arguments and the environment."""
    return ServerOptions(
        host=options.host,
        port=options.port,
        api_key=os.environ.get(API_KEY, ""),
        max_clients=options.max_clients,
        max_bytes=options.max_megabytes << 20,
        certificate=options.certificate,
        private_key=options.private_key,
    )


async def serve_policy(
    policy: ServedPolicy, options: ServerOptions, window: float, largest_batch: int
) -> None:
    """Serve until SIGINT or SIGTERM; window in s. Raises OSError where it cannot listen."""
    server: OpenpiServer
    if not policy.batches:
        window, largest_batch = 0.0, 1
    batcher = Batcher(policy.answer, window, largest_batch, lambda: server.clients)
    server = OpenpiServer(options, policy.metadata, batcher.submit)
    answering = asyncio.create_task(batcher.run())
    try:
        await until_stopped(server, options)
    finally:
        answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering


async def until_stopped(server: OpenpiServer | VlaEvalServer, options: ServerOptions) -> None:
    """Listen until SIGINT or SIGTERM; tells first where, and who may ask."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if options.host not in _LOOPBACK and not options.api_key:
        print(
            f"vla: whoever reaches {options.host} may ask this server; set {API_KEY} to ask for "
            "a key",
            file=sys.stderr,
        )
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(server.listening())
        except OSError as error:
            raise OSError(
                f"cannot serve at {options.host}:{options.port}: {error.strerror or error}"
            ) from error
        print(f"serving at {server.url}", flush=True)
        await stopped.wait()


def at_least(least: int) -> Callable[[str], int]:
    """Reads a whole number from `least`."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}; accepted: a whole number from {least}")
        return int(text)

    return number


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: 0 to 65535")
    return int(text)


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1000.0:
        raise argparse.ArgumentTypeError(f"{text!r}; accepted: 0 to 1000 [ms]")
    return value / 1e3
