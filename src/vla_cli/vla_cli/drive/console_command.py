"""`vla console`: the operator's page beside the running graph, until Ctrl-C."""

from __future__ import annotations

import importlib.util
import os
import sys

from vla_cli.client import options
from vla_cli.client.command_errors import CommandError
from vla_contract.command_options import at_least

MODULE = "vla_console.node"


def main(arguments: list[str]) -> int:
    """Replace this process by the console node.

    Raises:
        CommandError: vla_console is not installed.
    """
    parser = options.client(
        "console",
        "Serve the operator's page of the running graph, until Ctrl-C (docs/console.md).",
    )
    parser.add_argument(
        "--host",
        help="address for other machines, which then pair by a code over TLS "
        "(default: this machine alone)",
    )
    parser.add_argument("--port", type=at_least(0, "--port"), help="default: 8765; 0: a free one")
    chosen = parser.parse_args(arguments)
    if importlib.util.find_spec("vla_console") is None:
        raise CommandError("vla_console is not installed; build it with colcon, or use ./vla build")
    from vla_cli.client.graph_client import use_profile

    use_profile()
    sys.stdout.flush()
    os.execv(sys.executable, command(chosen.namespace, chosen.host, chosen.port))
    raise AssertionError("execv does not return")


def command(namespace: str, host: str | None, port: int | None) -> list[str]:
    """The command line of the node."""
    words = [sys.executable, "-m", MODULE, "--ros-args", "-r", f"__ns:=/{namespace.strip('/')}"]
    for name, value in (("host", f"'{host}'" if host else None), ("port", port)):
        if value is not None:
            words += ["-p", f"{name}:={value}"]
    return words
