"""Command-line options that several sub-commands share."""

from __future__ import annotations

import argparse
import re

from vla_contract.command_options import at_least, file_name

__all__ = ["add_namespace", "at_least", "client", "file_name", "parser"]

NAMESPACE = re.compile(r"/*([A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*)?/*")


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser for `./vla NAME`."""
    return argparse.ArgumentParser(prog=f"./vla {name}", description=description)


def client(name: str, description: str) -> argparse.ArgumentParser:
    """A parser for a client of a running graph; the domain is ROS_DOMAIN_ID."""
    made = parser(name, description)
    add_namespace(made)
    return made


def add_namespace(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The option that says in which namespace the graph is."""
    parser.add_argument(
        "--namespace", type=_namespace, default="vla", help="namespace of the graph (default: vla)"
    )


def _namespace(text: str) -> str:
    if NAMESPACE.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no namespace; accepted: letters, digits and _ that begin with no digit, "
            "with / between them"
        )
    return text
