"""Scenarios: a full disk where stops are recorded."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator

from vla_cli.faults.rig import Rig
from vla_cli.faults.scenario import Injected, Recovery, Scenario

SIZE = "16k"  # of the small disk: less than any recording
PATIENCE = 10.0  # s
EXPECTED = "stops all the same, and says that the stop is not recorded; reset, then a new command"


def scenarios() -> list[Scenario]:
    """All of them."""
    return [
        _scenario(
            "disk_full", "no file of safety takes a byte more; the stop service is called",
            _limit_files, _free_files,
        ),
        _scenario(
            "disk_full_recordings", "16 KiB are left where stops are recorded; stop is called",
            _mount, _unmount, _cannot_mount,
        ),
    ]  # fmt: skip


def _scenario(
    name: str,
    what: str,
    fill: Callable[[Rig], None],
    free: Callable[[Rig], None],
    unavailable: Callable[[], str] = lambda: "",
) -> Scenario:
    def inject(rig: Rig) -> Injected:
        fill(rig)
        rig.scratch.not_recorded = rig.record.not_recorded
        since, stamp = time.monotonic_ns(), rig.graph.node.get_clock().now().nanoseconds
        rig.trigger("stop")
        return Injected(since, last_valid=stamp)

    def clear(rig: Rig) -> None:
        rig.wait(lambda: _said(rig), PATIENCE)  # it is full until the recording was tried
        free(rig)

    return Scenario(
        name=name,
        what=what,
        expected=EXPECTED,
        inject=inject,
        clear=clear,
        timeout=lambda rig: 0.0,
        recovery=Recovery.RESET,
        lasting=1.0,
        judge=_said_so,
        unavailable=unavailable,
    )


def _said_so(rig: Rig, injected: Injected) -> Iterator[str]:
    if not _said(rig):
        yield "safety did not say that the stop was not recorded"


def _said(rig: Rig) -> bool:
    """In its diagnostics; it logs it too, but not each time."""
    return rig.record.not_recorded > rig.scratch.not_recorded


def _limit_files(rig: Rig) -> None:
    """A file-size limit of 0 on the running process, which needs no root."""
    rig.scratch.killed = rig.pid("safety")
    limit = resource.prlimit(rig.scratch.killed, resource.RLIMIT_FSIZE)
    rig.scratch.file_limit = limit
    resource.prlimit(rig.scratch.killed, resource.RLIMIT_FSIZE, (0, limit[1]))


def _free_files(rig: Rig) -> None:
    resource.prlimit(rig.scratch.killed, resource.RLIMIT_FSIZE, rig.scratch.file_limit)


def _cannot_mount() -> str:
    return "" if os.geteuid() == 0 else "a small file system to fill needs root"


def _mount(rig: Rig) -> None:
    rig.recordings.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(rig.recordings))


def _unmount(rig: Rig) -> None:
    _run("umount", "--lazy", str(rig.recordings))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
