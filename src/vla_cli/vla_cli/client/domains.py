"""ROS domains: which one is in use, and which is free."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterable
from pathlib import Path

from vla_cli.client.command_errors import CommandError

HIGHEST_DOMAIN = 232
_NUMBER = re.compile(r"\s*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
LAST_DOMAIN = 101  # above it the ports run into the ephemeral ones
PORTS_PER_DOMAIN = 250
FIRST_PORT = 7400
# A file a domain and one a graph, locked by the process that uses it; for all users and checkouts,
# as in `./vla`.
LOCKS = Path("/tmp/vla-domains")
_TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))
_locks: dict[int, int] = {}  # domain → descriptor of its file, which this process has locked


def current() -> int:
    """The domain of this environment, read as ROS reads it: decimal, 0x hexadecimal or 0 octal.

    Raises:
        CommandError: it is none. ROS would take "5abc" for 5, and a stop would go elsewhere.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "")
    if not text:
        return 0
    found = _NUMBER.fullmatch(text)
    if found is None or (number := int(found[1], _base(found[1]))) > HIGHEST_DOMAIN:
        raise CommandError(
            f"ROS_DOMAIN_ID is {text!r}; accepted: a whole number from 0 to {HIGHEST_DOMAIN}"
        )
    return number


def _base(digits: str) -> int:
    if digits[:2].lower() == "0x":
        return 16
    return 8 if digits.startswith("0") else 10


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


def in_use(domain: int) -> bool:
    """Whether somebody on this machine has joined it; true above 101, where no port tells it."""
    ports = bound_ports(file.read_text() for file in _TABLES if file.exists())
    return domain > LAST_DOMAIN or domain in used(ports)


def free(seed: int | None = None) -> int:
    """A domain from 1 to 101 that nobody on this machine uses, chosen by the process id.

    No port of it is bound, and it is this process's until its end, or until `release`: several
    that choose at once, `./vla test` among them, get different ones.

    Raises:
        CommandError: all of them are in use.
    """
    start = os.getpid() if seed is None else seed
    for offset in range(LAST_DOMAIN):
        domain = (start + offset) % LAST_DOMAIN + 1
        try:
            lock = _lock(str(domain))
        except OSError:
            continue
        if not in_use(domain):
            _locks[domain] = lock
            return domain
        os.close(lock)
    raise CommandError(
        f"every ROS domain from 1 to 101 is in use or cannot be locked in {LOCKS}; "
        "stop some of the running graphs"
    )


def release(domain: int) -> None:
    """Let others choose a domain that `free` gave."""
    os.close(_locks.pop(domain))


def lock_graph(namespace: str) -> None:
    """Keep this domain and namespace for the graph of this process, and of what it becomes.

    The kernel gives them back when the process ends, however it ends.

    Raises:
        CommandError: the graph of another process runs there.
    """
    domain, name = current(), namespace.strip("/")
    try:
        descriptor = _lock(f"{domain}.{name.replace('/', '.')}")
    except BlockingIOError as error:
        raise CommandError(
            f"a graph runs already in domain {domain}, namespace /{name}; end it, or choose "
            "another: ROS_DOMAIN_ID=… ./vla launch …, or namespace:=…"
        ) from error
    except OSError:  # a robot shall start where nothing can be locked, too
        return
    os.set_inheritable(descriptor, True)


def _lock(name: str) -> int:
    """The open and locked file of a domain or a graph.

    Opened for reading only: files of other users will do, and what is left over locks nothing.

    Raises:
        BlockingIOError: another process has it.
        OSError: it cannot be made or opened.
    """
    path = LOCKS / name
    if not LOCKS.is_dir():
        LOCKS.mkdir(exist_ok=True)
        LOCKS.chmod(0o1777)
    if not path.exists():
        path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
