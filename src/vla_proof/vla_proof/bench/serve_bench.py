"""`vla bench serve`: how many requests a second `./vla serve onnx` answers, and how late.

The server is a process of its own; the clients share another one, and ask back to back (the most
that it can do) or at a robot's pace. The same images go out each time; every answer is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

from vla_cli.client import options, paths
from vla_cli.client.command_errors import CommandError, raise_on_signals
from vla_contract.percentiles import percentile, percentiles
from vla_policy.checkpoint.checkpoint import Checkpoint
from vla_policy.remote import openpi_wire
from vla_serve.checkpoint_policy import IMAGE, STATE
from vla_serve.request_checks import PROMPT

_START_TIMEOUT = 60.0  # s, of a client's connection
_END_TIMEOUT = 20.0  # s


@dataclass(frozen=True)
class ServeFigures:
    """Of one number of clients; times in ms, from the request sent to its answer read."""

    clients: int
    requests_per_second: float
    p50: float
    p99: float
    largest_batch: int
    mean_batch: float
    failures: int


def main(arguments: list[str]) -> int:
    """Measure and print; 1 where a request was not answered."""
    parser = options.parser("bench serve", __doc__.split("\n")[0])
    parser.add_argument("--checkpoint", help="folder (default: the shipped one)")
    parser.add_argument(
        "--clients",
        type=options.at_least(1, "clients"),
        nargs="+",
        default=[1, 2, 4, 8, 16],
        help="(default: 1 2 4 8 16)",
    )
    parser.add_argument("--duration", type=float, default=10.0, help="s of each (default: 10)")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="of each client, Hz; 0: back to back (default: 0)"
    )
    parser.add_argument("--backend", default="onnxruntime", help="(default: onnxruntime)")
    parser.add_argument("--window", default="3", help="ms, as of ./vla serve (default: 3)")
    parser.add_argument(
        "--image",
        type=int,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="px, of each camera (default: the checkpoint's)",
    )
    parser.add_argument("--out", help="folder for bench_serve.json (default: out)")
    chosen = parser.parse_args(arguments)
    raise_on_signals()
    folder = str(paths.checkpoint(chosen.checkpoint))
    checkpoint = Checkpoint.load(folder)
    height, width = chosen.image or (checkpoint.image_height, checkpoint.image_width)
    message = openpi_wire.pack(request_of(checkpoint, height, width))
    pace = f"at {chosen.rate:g} Hz" if chosen.rate else "back to back"
    print(
        f"{checkpoint.name} on {chosen.backend}, {len(checkpoint.cameras)} images of "
        f"{height}x{width}, {pace}, window {chosen.window} ms\n"
        f"{'clients':>7} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'mean batch':>11} "
        f"{'failed':>7}"
    )
    found = []
    with serving(folder, "--backend", chosen.backend, "--window", chosen.window) as url:
        for count in chosen.clients:
            found.append(asyncio.run(measure(url, message, count, chosen.duration, chosen.rate)))
            f = found[-1]
            print(
                f"{f.clients:>7} {f.requests_per_second:>11.1f} {f.p50:>8.1f} {f.p99:>8.1f} "
                f"{f.mean_batch:>11.2f} {f.failures:>7}",
                flush=True,
            )
    out = paths.output_folder(chosen.out) / "bench_serve.json"
    content: dict[str, Any] = {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "backend": chosen.backend,
        "rate": chosen.rate,
    }
    out.write_text(json.dumps({**content, "runs": list(map(asdict, found))}, indent=1) + "\n")
    print(f"written: {out}")
    return int(any(figures.failures for figures in found))


def request_of(checkpoint: Checkpoint, height: int, width: int) -> dict[str, Any]:
    """A request with random images and the checkpoint's first command."""
    random = np.random.default_rng(0)
    wordings = [wording for words in checkpoint.commands.values() for wording in words]
    state = np.zeros(len(checkpoint.state_names), np.float32)
    return {
        **{
            IMAGE + name: random.integers(0, 256, (height, width, 3), np.uint8)
            for name in checkpoint.cameras
        },
        **({STATE: state} if len(state) else {}),
        PROMPT: wordings[0],
    }


@contextlib.contextmanager
def serving(folder: str, *arguments: str) -> Iterator[str]:
    """`./vla serve onnx` as a process of its own; yields where it listens."""
    command = [sys.executable, "-m", "vla_cli", "serve", "onnx", folder, "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("serving at "):
            raise CommandError("the server did not start; it has said why")
        yield line.split()[-1]
    finally:
        process.terminate()
        try:
            process.wait(_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def measure(
    url: str, message: bytes, clients: int, duration: float, rate: float
) -> ServeFigures:
    """Ask with so many clients for `duration` s, after one request each that is not counted."""
    times: list[float] = []
    batches: list[int] = []
    failures = [0]
    waiting, together = [clients], asyncio.Event()

    async def drive(number: int) -> None:
        async with connect(
            url, compression=None, max_size=None, open_timeout=_START_TIMEOUT, proxy=None
        ) as connection:
            await connection.recv()
            await connection.send(message)
            await connection.recv()
            waiting[0] -= 1
            if not waiting[0]:
                together.set()
            await together.wait()
            begin = time.perf_counter()
            due = begin + (number / (clients * rate) if rate else 0.0)
            while due < begin + duration and time.perf_counter() < begin + duration:
                await asyncio.sleep(max(0.0, due - time.perf_counter()) if rate else 0.0)
                start = time.perf_counter()
                await connection.send(message)
                reply = await connection.recv()
                times.append((time.perf_counter() - start) * 1e3)
                if isinstance(reply, str):
                    failures[0] += 1
                else:
                    batches.append(openpi_wire.unpack(reply)["server_timing"]["batch"])
                due = due + 1.0 / rate if rate else due

    begin = time.perf_counter()
    await asyncio.gather(*(drive(number) for number in range(clients)))
    seconds = min(duration, time.perf_counter() - begin)
    p50, p99 = percentiles(times, 50.0, 99.0)
    # Each request of a pass tells its size, so a pass counts once in the sum of one over it.
    passes = sum(1.0 / size for size in batches)
    return ServeFigures(
        clients,
        len(times) / seconds,
        p50,
        p99,
        int(percentile(batches, 100.0)) if batches else 0,
        len(batches) / passes if passes else 0.0,
        failures[0],
    )
