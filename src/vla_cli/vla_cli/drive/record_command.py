"""`vla record`: the topics of the running graph into a bag, all of it or only the last seconds."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from vla_cli.client import options
from vla_cli.client.command_errors import (
    CommandError,
    Interrupted,
    ignore_signals,
    raise_on_signals,
)

SPLITS = 4  # files that a ring is made of, beside the one that is being written
REFRESH = 1.0  # s between two looks for new topics
MEGABYTE = 1_000_000


def main(arguments: list[str]) -> int:
    """Record until Ctrl-C; 0: the bag is complete."""
    chosen = parse(arguments)
    raise_on_signals()
    out = chosen.out
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise CommandError(f"{out} exists already; choose another folder with --out")
    return _run_ros2(chosen) if chosen.with_ros2 or _has_ros2() else _run_here(chosen)


def _has_ros2() -> bool:
    """Whether there is a `ros2 bag record` that may run.

    Not with DDS security: its node serves parameters and more with every version, all of which
    would have to be allowed.
    """
    secured = os.environ.get("ROS_SECURITY_ENABLE") == "true"
    return bool(shutil.which("ros2") and os.environ.get("ROS_DISTRO") and not secured)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options."""
    parser = options.client("record", "Record the topics of the running graph until Ctrl-C.")
    parser.add_argument("topics", nargs="*", help="full names (default: every topic there is)")
    ring = parser.add_mutually_exclusive_group()
    ring.add_argument("--ring", type=_positive, metavar="SECONDS", help="keep the last seconds")
    ring.add_argument("--ring-bytes", type=_positive, metavar="MB", help="keep the last megabytes")
    parser.add_argument(
        "--use-sim-time", action="store_true", help="messages get the time of /clock"
    )
    parser.add_argument("--seconds", type=_positive, help="end by itself after this time")
    parser.add_argument("--out", type=Path, help="folder of the bag (default: out/record_TIME)")
    parser.add_argument("--with-ros2", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    chosen.out = chosen.out or Path("out") / time.strftime("record_%Y%m%d_%H%M%S")
    return chosen


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _run_here(chosen: argparse.Namespace) -> int:
    from vla_cli.client.graph_client import Graph
    from vla_contract.recording import RecordingError
    from vla_replay.record.bag_ring import Ring
    from vla_replay.record.record_node import TopicRecorder

    limit_bytes = round((chosen.ring_bytes or 0.0) * MEGABYTE)
    ring = Ring(chosen.out, seconds=chosen.ring or 0.0, size=limit_bytes, splits=SPLITS)
    end = time.monotonic() + (chosen.seconds or float("inf"))
    try:
        with Graph(namespace=chosen.namespace) as graph:
            recorder = TopicRecorder(graph.node, ring, chosen.topics, chosen.use_sim_time)
            print(f"recording into {chosen.out}; Ctrl-C ends it", flush=True)
            due = 0.0
            while (now := time.monotonic()) < end:
                if now >= due:
                    for line in recorder.refresh():
                        print(line, flush=True)
                    due = now + REFRESH
                graph.spin(min(0.1, max(0.0, end - now)))
                if recorder.error:
                    raise CommandError(f"recording ended: {recorder.error}")
    except Interrupted:
        pass
    finally:
        ignore_signals()
        try:
            ring.close()
        except RecordingError as error:
            raise CommandError(f"recording ended: {error}") from error
    print(f"{ring.count} messages in {len(ring.files)} file(s), {ring.size / 1e6:.1f} MB")
    if not ring.count:
        raise CommandError("nothing was recorded: no message came (see ./vla status)")
    return 0


def ros2_command(chosen: argparse.Namespace) -> list[str]:
    """The command line of the real recorder."""
    words = ["ros2", "bag", "record", "--storage", "mcap", "--output", str(chosen.out)]
    if chosen.use_sim_time:
        words.append("--use-sim-time")
    if chosen.ring:
        words += ["--max-bag-duration", str(max(1, round(chosen.ring / SPLITS)))]
    if chosen.ring_bytes:
        words += ["--max-bag-size", str(max(86016, round(chosen.ring_bytes * MEGABYTE / SPLITS)))]
    return [*words, *(chosen.topics or ["--all"])]


def _run_ros2(chosen: argparse.Namespace) -> int:
    """The real `ros2 bag record`; old files of a ring are removed while it runs."""
    process = subprocess.Popen(ros2_command(chosen), start_new_session=True)
    end = time.monotonic() + (chosen.seconds or float("inf"))
    try:
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
            if chosen.ring or chosen.ring_bytes:
                prune(chosen.out)
    except Interrupted:
        pass
    ignore_signals()
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    status = process.wait()
    return 0 if status in (0, -signal.SIGINT, 130) else status


def prune(folder: Path) -> None:
    """Remove the oldest files of a ring, beyond `SPLITS` and the one being written."""
    files = sorted(folder.glob("*.mcap"), key=lambda file: file.stat().st_mtime)
    for file in files[: -(SPLITS + 1)]:
        file.unlink(missing_ok=True)
