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
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_cli import options, paths
from vla_cli.errors import CommandError

REQUIRED = 0.4  # of the rate that the bare forward would allow
RATE = 30.0  # Hz
FORWARDS = 300
SAMPLE_PERIOD = 0.5  # s


@dataclass(frozen=True)
class Memory:
    """Resident memory of the player, MB, after a tenth of the replay and at its end."""

    early: float
    late: float
    peak: float


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
    from vla_policy.checkpoint import Checkpoint

    checkpoint = Checkpoint.load(paths.checkpoint(chosen.checkpoint))
    names = (checkpoint.cameras or ("front",))[: chosen.cameras]
    bag = make_bag(folder / "bag", names, chosen.minutes * 60.0, compressed=not chosen.raw)
    before = forward_time(checkpoint)
    memory, document = replay(bag, folder / "out", checkpoint.folder)
    after = forward_time(checkpoint)
    forward = float(np.median([before, after]))
    frames = round(chosen.minutes * 60.0 * RATE)
    rate = document["observations"] / document["wall_seconds"]
    ratio = rate * forward
    dropped = frames - document["observations"]
    form = "raw" if chosen.raw else "JPEG"
    print(
        f"bag: {chosen.minutes:g} min, {len(names)} × 640×480 {form}, {RATE:g} Hz, {frames} frames"
    )
    print(f"bare forward: {forward * 1e3:.2f} ms ({1.0 / forward:.0f} frames/s)")
    print(
        f"replay: {rate:.1f} frames/s, {rate / RATE:.1f} × real time, {dropped} dropped, "
        f"{document['images']} images"
    )
    print(f"ratio: {ratio:.2f} (required: {REQUIRED})")
    print(
        f"player's memory: {memory.early:.0f} MB early, {memory.late:.0f} MB at the end, "
        f"{memory.peak:.0f} MB peak"
    )
    return 0 if not dropped and ratio >= REQUIRED else 1


def make_bag(folder: Path, cameras: tuple[str, ...], seconds: float, *, compressed: bool) -> Path:
    """An MCAP bag; nothing is made where there is one already."""
    from vla_replay import testing

    if folder.exists():
        return folder
    recipe = testing.Recipe(
        cameras=tuple((f"/camera/{name}/image_raw", RATE) for name in cameras),
        compressed=compressed,
        width=640,
        height=480,
        seconds=seconds,
        state_rate=RATE,
        distinct=30,
    )
    return testing.write_bag(folder, testing.items(recipe))


def forward_time(checkpoint: object) -> float:
    """Median time of the model's forward pass by itself, s, as the policy node runs it."""
    from vla_policy.config import PolicyConfig
    from vla_policy.loading import load_policy

    folder = str(getattr(checkpoint, "folder", ""))
    _, times = load_policy(PolicyConfig(checkpoint=folder, warm_up=FORWARDS))
    return float(np.median(times[FORWARDS // 10 :]))


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
    samples: list[float] = []
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, samples, done), daemon=True)
    watcher.start()
    output = process.communicate()[0]
    done.set()
    watcher.join()
    if process.returncode:
        raise CommandError(f"the replay failed: {output.splitlines()[-1:]}")
    document = json.loads((out / "result.json").read_text(encoding="utf-8"))
    # The report is made at the end, when every frame has been played.
    played = samples[: max(1, round(document["wall_seconds"] / SAMPLE_PERIOD))]
    return Memory(played[len(played) // 10], played[-1], max(played)), document


def _watch(pid: int, samples: list[float], done: threading.Event) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while not done.is_set():
        try:
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return
        samples.append(resident * page / 1e6)
        time.sleep(SAMPLE_PERIOD)
