"""Scenarios: a disk that is full or hangs, under the recordings of stops and the state file."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vla_proof.faults.fault_rig import Rig
from vla_proof.faults.fault_scenario import Injected, Recovery, Scenario

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
        Scenario(
            name="disk_slow",
            what="the disk of the state file hangs; the stop service is called",
            expected="stops at once; the state is written when the disk answers; reset, then a new "
            "command",
            inject=_hang,
            clear=_answer,
            timeout=lambda rig: 0.0,
            recovery=Recovery.RESET,
            lasting=1.0,
            judge=_written_late,
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


def _scratch_file(rig: Rig) -> Path:
    """Where the running safety node writes the state before it takes the file's place."""
    (file,) = (rig.folder / "vla_safety").glob("domain_*.json")
    return file.with_name(f".{file.name}.{rig.scratch.killed}")


def _hang(rig: Rig) -> Injected:
    """Opening a pipe that nobody reads waits as a hanging disk does, and needs no root."""
    rig.scratch.killed = rig.pid("safety")
    os.mkfifo(_scratch_file(rig))
    since, stamp = time.monotonic_ns(), rig.graph.node.get_clock().now().nanoseconds
    rig.trigger("stop")
    return Injected(since, last_valid=stamp)


def _answer(rig: Rig) -> None:
    pipe = _scratch_file(rig)
    moved = pipe.rename(pipe.with_suffix(".hung"))  # so that it does not become the state file
    reader = os.open(moved, os.O_RDONLY | os.O_NONBLOCK)
    rig.spin(0.2)
    os.close(reader)
    moved.unlink()


def _written_late(rig: Rig, injected: Injected) -> Iterator[str]:
    """After reset and a new command the file holds that nothing is stopped."""
    (file,) = (rig.folder / "vla_safety").glob("domain_*.json")

    def written() -> bool:
        return json.loads(file.read_text())["stopped"] == ""

    if not rig.wait(written, PATIENCE):
        yield f"{file.name} was not written after the disk answered again"


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
