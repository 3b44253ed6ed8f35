"""`vla record`: the topics of the running graph into a bag, all of it or only the last seconds."""

from __future__ import annotations

import argparse
import signal
import threading
import time
from pathlib import Path

from vla_cli.client import options
from vla_cli.client.command_errors import CommandError

SPLITS = 4  # files that a ring is made of, beside the one that is being written
REFRESH = 1.0  # s between two looks for new topics, and what a crash costs at most
MEGABYTE = 1_000_000


def main(arguments: list[str]) -> int:
    """Record until Ctrl-C; 0: the bag is complete."""
    chosen = parse(arguments)
    out = chosen.out
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise CommandError(f"{out} exists already; choose another folder with --out")
    return record(chosen)


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


def record(chosen: argparse.Namespace) -> int:
    """Record until it is ended.

    Raises:
        CommandError: the bag cannot be written, or no message came.
    """
    from vla_cli.client.graph_client import Graph
    from vla_contract.recording import RecordingError
    from vla_replay.record.bag_ring import Ring
    from vla_replay.record.record_node import TopicRecorder

    ended = _end_on_signals()
    limit_bytes = round((chosen.ring_bytes or 0.0) * MEGABYTE)
    ring = Ring(chosen.out, seconds=chosen.ring or 0.0, size=limit_bytes, splits=SPLITS)
    end = time.monotonic() + (chosen.seconds or float("inf"))
    try:
        with Graph(namespace=chosen.namespace) as graph:
            recorder = TopicRecorder(graph.node, ring, chosen.topics, chosen.use_sim_time)
            print(f"recording into {chosen.out}; Ctrl-C ends it", flush=True)
            due = 0.0
            while (now := time.monotonic()) < end and not ended.is_set():
                if now >= due:
                    for line in recorder.refresh():
                        print(line, flush=True)
                    ring.flush()
                    due = now + REFRESH
                graph.spin(min(0.1, max(0.0, end - now)))
                if recorder.error:
                    raise CommandError(f"recording ended: {recorder.error}")
    except RecordingError as error:
        raise CommandError(f"recording ended: {error}") from error
    finally:
        try:
            ring.close()
        except RecordingError as error:
            raise CommandError(f"recording ended: {error}") from error
    print(f"{ring.count} messages in {len(ring.files)} file(s), {ring.size / 1e6:.1f} MB")
    if not ring.count:
        silent = ", ".join(chosen.topics) or "any topic"
        raise CommandError(f"nothing was recorded: no message came on {silent} (see ./vla status)")
    return 0


def _end_on_signals() -> threading.Event:
    """Set by SIGINT or SIGTERM; an exception in the middle of a write would spoil the bag."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: ended.set())
    return ended
