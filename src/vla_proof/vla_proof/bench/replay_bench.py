"""`vla bench replay`: how fast a bag goes through the graph, against the model's forward alone."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vla_cli.client import options, paths
from vla_cli.client.command_errors import CommandError
from vla_cli.replay.replay_graph import forward_threads

REQUIRED = 0.4  # of the rate that the bare forward would allow
RATE = 30.0  # Hz
FORWARDS = 300
SAMPLE_PERIOD = 0.2  # s


PROCESSES = ("replay", "perception", "policy", "safety")
MOMENTS = (0.1, 0.5, 0.95)  # shares of the bag at which the memory is told
CONSTANT = 16.0  # MB that a process may grow by between the first of them and the last


@dataclass
class Memory:
    """Resident memory while a bag is played: (s of wall time, MB by process)."""

    samples: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def take(self, pid: int) -> None:
        """Note what the command and the nodes that it started use now."""
        found: dict[str, float] = {}
        for each in _family(pid):
            name = _process_name(each)
            if name:
                found[name] = max(found.get(name, 0.0), _resident(each))
        self.samples.append((time.monotonic(), found))

    def at(self, share: float, begin: float, end: float) -> dict[str, float]:
        """What was used when this share of the bag was played."""
        when = begin + share * (end - begin)
        return min(self.samples, key=lambda sample: abs(sample[0] - when))[1]

    def played(self, seconds: float) -> tuple[float, float]:
        """When the bag began and ended; the nodes are there until the end, s after it."""
        end = max(t for t, found in self.samples if set(PROCESSES) <= set(found))
        return end - seconds, end


def main(arguments: list[str]) -> int:
    """0: no frame was dropped and the ratio is reached; 1: not."""
    parser = options.parser("bench replay", "Replay as fast as possible against the bare model.")
    parser.add_argument("--minutes", type=float, default=1.0, help="of the bag (default: 1)")
    parser.add_argument("--cameras", type=int, default=1, help="640x480 at 30 Hz each (default: 1)")
    parser.add_argument("--raw", action="store_true", help="raw images instead of JPEG")
    parser.add_argument("--checkpoint", help="folder of the policy (default: the shipped one)")
    parser.add_argument("--keep", type=Path, help="folder for bag and result, which are then kept")
    chosen = parser.parse_args(arguments)
    if not 0.0 < chosen.minutes <= 120.0 or not 1 <= chosen.cameras <= 4:
        raise CommandError("accepted: --minutes above 0 to 120, --cameras 1 to 4")
    if chosen.keep:
        chosen.keep.mkdir(parents=True, exist_ok=True)
        return measure(chosen, chosen.keep)
    with tempfile.TemporaryDirectory(prefix="vla_bench_replay_") as folder:
        return measure(chosen, Path(folder))


def measure(chosen: argparse.Namespace, folder: Path) -> int:
    """Make the bag, time the model, replay, report."""
    from vla_policy.checkpoint.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(paths.checkpoint(chosen.checkpoint))
    names = (checkpoint.cameras or ("front",))[: chosen.cameras]
    bag = make_bag(folder / "bag", names, chosen.minutes * 60.0, compressed=not chosen.raw)
    threads = forward_threads()
    before = forward_times(checkpoint, threads)
    memory, document = replay(bag, folder / "out", checkpoint.folder)
    constant = report_memory(memory, chosen.minutes, document["wall_seconds"])
    after = forward_times(checkpoint, threads)
    forwards = {count: float(np.median([before[count], after[count]])) for count in before}
    frames = round(chosen.minutes * 60.0 * RATE)
    rate = document["observations"] / document["wall_seconds"]
    ratio = rate * forwards[threads]
    dropped = frames - document["observations"]
    form = "raw" if chosen.raw else "JPEG"
    print(
        f"bag: {chosen.minutes:g} min, {len(names)} × 640×480 {form}, {RATE:g} Hz, {frames} frames"
    )
    for count, forward in forwards.items():
        note = ", as in the replay" if count == threads else ", which replay leaves to the nodes"
        print(
            f"bare forward with {count} threads{note}: {forward * 1e3:.2f} ms "
            f"({1.0 / forward:.0f} frames/s); replay's share of it: {rate * forward:.2f}"
        )
    print(
        f"replay: {rate:.1f} frames/s, {rate / RATE:.1f} × real time, {dropped} dropped, "
        f"{document['images']} images"
    )
    print(f"ratio with {threads} threads: {ratio:.2f} (required: {REQUIRED})")
    return 0 if not dropped and ratio >= REQUIRED and constant else 1


def report_memory(memory: Memory, minutes: float, wall: float) -> bool:
    """Print what each process used along the bag; True where it is constant."""
    begin, end = memory.played(wall)
    moments = [memory.at(share, begin, end) for share in MOMENTS]
    titles = " ".join(f"{share * minutes:>6.1f} min" for share in MOMENTS)
    print(f"resident memory, MB{'':<11} {titles}")
    for name in PROCESSES:
        print(f"  {name:<28} " + " ".join(f"{moment[name]:>10.0f}" for moment in moments))
    return all(moments[-1][name] - moments[0][name] <= CONSTANT for name in PROCESSES)


def make_bag(folder: Path, cameras: tuple[str, ...], seconds: float, *, compressed: bool) -> Path:
    """An MCAP bag; nothing is made where there is one already."""
    from vla_replay.bags import made_bags

    if folder.exists():
        return folder
    recipe = made_bags.Recipe(
        cameras=tuple((f"/camera/{name}/image_raw", RATE) for name in cameras),
        compressed=compressed,
        width=640,
        height=480,
        seconds=seconds,
        state_rate=RATE,
        distinct=30,
    )
    return made_bags.write_bag(folder, made_bags.items(recipe))


def forward_times(checkpoint: object, threads: int) -> dict[int, float]:
    """Median time of the model's forward pass by itself, s, by its number of threads.

    As the policy node runs it in a replay, and as it runs it on a robot.
    """
    from vla_policy.checkpoint.policy_loading import load_policy
    from vla_policy.policy_config import PolicyConfig

    folder = str(getattr(checkpoint, "folder", ""))
    found = {}
    for count in sorted({threads, PolicyConfig().threads}):
        config = PolicyConfig(checkpoint=folder, warm_up=FORWARDS, threads=count)
        found[count] = float(np.median(load_policy(config)[1][FORWARDS // 10 :]))
    return found


def replay(bag: Path, out: Path, checkpoint: object) -> tuple[Memory, dict]:
    """`./vla replay --as-fast-as-possible` in a process of its own, and its memory."""
    command = [
        sys.executable, "-m", "vla_cli", "replay", str(bag), "--as-fast-as-possible",
        # The model runs on every frame: the command never ends.
        "--command", "open the drawer", "--set", "policy.done_count:=0",
        "--set", "perception.command_timeout:=86400.0", "--checkpoint", str(checkpoint),
        "--out", str(out), "--no-report",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    memory, done = Memory(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, memory, done), daemon=True)
    watcher.start()
    output = process.communicate()[0]
    done.set()
    watcher.join()
    if process.returncode:
        raise CommandError(f"the replay failed: {output.splitlines()[-1:]}")
    return memory, json.loads((out / "result.json").read_text(encoding="utf-8"))


def _watch(pid: int, memory: Memory, done: threading.Event) -> None:
    while not done.wait(SAMPLE_PERIOD):
        memory.take(pid)


def _family(pid: int) -> list[int]:
    """A process and what it has started."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = " ".join((task / "children").read_text() for task in tasks).split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in _family(int(child)))]


def _process_name(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return ""
    names = [Path(word).name for word in words[1:4]]
    return next((name for name in PROCESSES if name in names), "")


def _resident(pid: int) -> float:
    """MB."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
