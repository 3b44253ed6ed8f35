"""ROS domains: which one is in use, and which is free."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

LAST_DOMAIN = 101  # above it the ports run into the ephemeral ones
PORTS_PER_DOMAIN = 250
FIRST_PORT = 7400


def current() -> int:
    """The domain of this environment."""
    text = os.environ.get("ROS_DOMAIN_ID", "") or "0"
    return int(text) if text.isdigit() else 0


def used(ports: Iterable[int]) -> set[int]:
    """Domains that own any of these bound UDP ports."""
    return {
        (port - FIRST_PORT) // PORTS_PER_DOMAIN
        for port in ports
        if FIRST_PORT <= port < FIRST_PORT + PORTS_PER_DOMAIN * (LAST_DOMAIN + 1)
    }


def bound_ports(tables: Iterable[str]) -> set[int]:
    """Local ports in the text of /proc/net/udp and udp6."""
    return {
        int(line.split()[1].rsplit(":", 1)[1], 16)
        for table in tables
        for line in table.splitlines()[1:]
    }


def free(seed: int | None = None) -> int:
    """A domain from 1 to 101 of which no port is bound on this machine, chosen by the process id.

    Raises:
        RuntimeError: all of them are in use.
    """
    files = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
    taken = used(bound_ports(file.read_text() for file in files if file.exists()))
    start = os.getpid() if seed is None else seed
    for offset in range(LAST_DOMAIN):
        domain = (start + offset) % LAST_DOMAIN + 1
        if domain not in taken:
            return domain
    raise RuntimeError("every ROS domain from 1 to 101 is in use; stop some of the running graphs")
