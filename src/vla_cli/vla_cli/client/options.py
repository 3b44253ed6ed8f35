"""Command-line options that several sub-commands share."""

from __future__ import annotations

import argparse

from vla_contract.command_options import at_least, file_name

__all__ = ["at_least", "client", "file_name", "parser"]


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser for `./vla NAME`."""
    return argparse.ArgumentParser(prog=f"./vla {name}", description=description)


def client(name: str, description: str) -> argparse.ArgumentParser:
    """A parser for a client of a running graph; the domain is ROS_DOMAIN_ID."""
    made = parser(name, description)
    made.add_argument("--namespace", default="vla", help="namespace of the graph (default: vla)")
    return made
