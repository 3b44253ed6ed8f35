"""Command-line options that several sub-commands share."""

from __future__ import annotations

import argparse


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """A parser for `./vla NAME`."""
    return argparse.ArgumentParser(prog=f"./vla {name}", description=description)


def client(name: str, description: str) -> argparse.ArgumentParser:
    """A parser for a client of a running graph; the domain is ROS_DOMAIN_ID."""
    made = parser(name, description)
    made.add_argument("--namespace", default="vla", help="namespace of the graph (default: vla)")
    return made


def at_least(least: int, what: str) -> type[int]:
    """An argparse type: a whole number from `least` on."""

    def convert(text: str) -> int:
        value = int(text) if text.lstrip("-").isdigit() else None
        if value is None or value < least:
            raise argparse.ArgumentTypeError(
                f"{what} is {text!r}; accepted: a whole number of at least {least}"
            )
        return value

    return convert  # type: ignore[return-value]
