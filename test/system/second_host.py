"""A second host: a network namespace behind a cable, with shared memory of its own. Needs root."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
HOST, GUEST = "10.213.77.1/24", "10.213.77.2/24"


class NoSecondHost(RuntimeError):
    """Why there can be none here."""


class SecondHost:
    """Runs programs as on another machine of the same network."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, words: list[str]) -> list[str]:
        """The command line that runs `words` there.

        Fast DDS also finds neighbours through files in /dev/shm, which two machines do not share.
        """
        private = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
        ip = shutil.which("ip", path=PATH) or "ip"
        return [ip, "netns", "exec", self.name, "sh", "-c", private, "sh", *words]


def _ip(*words: str) -> None:
    ip = shutil.which("ip", path=PATH) or "ip"
    done = subprocess.run([ip, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoSecondHost(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextlib.contextmanager
def second_host() -> Iterator[SecondHost]:
    """One that is gone after the block.

    Raises:
        NoSecondHost: this process may not make one; the message says why.
    """
    if os.geteuid() != 0:
        raise NoSecondHost("a network namespace needs root")
    if shutil.which("ip", path=PATH) is None:
        raise NoSecondHost("the command ip is missing; mend it with: apt-get install iproute2")
    name = f"vla{os.getpid()}"
    here, there = f"{name}a", f"{name}b"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        _ip("addr", "add", HOST, "dev", here)
        _ip("link", "set", here, "up")
        for words in (
            ("addr", "add", GUEST, "dev", there),
            ("link", "set", there, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)
        yield SecondHost(name)
    finally:
        _ip("netns", "del", name)  # takes the cable along
