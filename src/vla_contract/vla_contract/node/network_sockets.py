"""Who may reach this process over the network, as its sockets say. Free of ROS."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from pathlib import Path

_TABLES = ("udp", "udp6")  # of /proc; discovery and data of DDS go over UDP


def bound_beyond_loopback(process: int | str = "self") -> list[str]:
    """The UDP sockets of a process that are not bound to a loopback address, as "address:port".

    process: its id. Where the system shows no sockets (it is no Linux, or the process has ended),
    the list is empty.
    """
    folder = Path("/proc") / str(process)
    own = _socket_inodes(folder / "fd")
    found = []
    for table in _TABLES:
        for line in _lines(folder / "net" / table)[1:]:
            words = line.split()
            address, port = words[1].split(":")
            if words[9] in own and not (ip := _address(address)).is_loopback:
                found.append(f"{ip}:{int(port, 16)}")
    return sorted(found)


def kept_to_this_machine(environment: Mapping[str, str]) -> bool:
    """The environment asks for no discovery beyond this machine, in any distribution's spelling."""
    scope = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "").upper()
    return scope in ("LOCALHOST", "OFF") or environment.get("ROS_LOCALHOST_ONLY") == "1"


def open_to_network() -> str:
    """What to warn of where other machines can reach this process; else an empty text.

    The environment is not asked: which sockets a middleware opens for which variable and profile
    differs between distributions. To be called once there is a node.
    """
    addresses = bound_beyond_loopback()
    if not addresses:
        return ""
    return (
        f"open to the network (bound to {', '.join(addresses)}): other machines can read the "
        "cameras and send commands; the launch argument network:=false keeps the graph on this "
        "machine"
    )


def _socket_inodes(folder: Path) -> set[str]:
    targets = (_target(folder / name) for name in _names(folder))
    return {t.removeprefix("socket:[").rstrip("]") for t in targets if t.startswith("socket:[")}


def _names(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""  # closed since it was listed


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="ascii").splitlines() if file.is_file() else []


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    # Words of 32 bits, each in the byte order of the machine.
    words = [int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8)]
    address = ipaddress.ip_address(b"".join(words))
    return getattr(address, "ipv4_mapped", None) or address
